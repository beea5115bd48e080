"""What a multiply-accumulate counts in BitOPs: three conventions of the literature.

They differ by more than many a claimed saving, so every table says which it uses.
"""

from typing import Literal

Metric = Literal["product", "sum", "accumulators"]
METRICS: tuple[Metric, ...] = ("product", "sum", "accumulators")
"""``product`` (default everywhere): weight bits times activation bits, the NENNI cost protocol.
``sum``: weight bits plus activation bits. ``accumulators``: the product, and the addition to a sum
as wide as the dot product can fill, as in Baskin et al., UNIQ (arXiv 1804.10969)."""

_WIDEST_ACCUMULATOR = 32


def ceil_log2(value: int) -> int:
    """Smallest integer b with 2^b at least `value` (itself at least 1)."""
    return (value - 1).bit_length()


def accumulator_bits(weight_bits: int, activation_bits: int, terms: int) -> int:
    """Width that a dot product of `terms` products can fill, at most 32 bits."""
    return min(_WIDEST_ACCUMULATOR, weight_bits + activation_bits + ceil_log2(terms))


def addition_bits(bits: int, terms: int) -> int:
    """Width that a sum of `terms` numbers can fill, at most 32 bits."""
    return min(_WIDEST_ACCUMULATOR, bits + ceil_log2(terms))


def mac_bitops(weight_bits: int, activation_bits: int, terms: int, metric: Metric) -> int:
    """BitOPs of one multiply-accumulate in a dot product of so many.

    Parameters
    ----------
    weight_bits, activation_bits
        Of the operands.
    terms
        Products that are summed.
    metric
        One of `METRICS`.
    """
    match metric:
        case "product":
            return weight_bits * activation_bits
        case "sum":
            return weight_bits + activation_bits
        case "accumulators":
            added = accumulator_bits(weight_bits, activation_bits, terms)
            return weight_bits * activation_bits + added
