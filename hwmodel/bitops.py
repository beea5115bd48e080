"""Bit widths and BitOPs of each term of a layer.

From the NENNI cost protocol: a multiply-accumulate counts weight bits times activation bits, an
addition its bits. Chosen here where the protocol is silent: a comparison counts the bits of the
scores it compares, a rounding the bits it yields, the mask one bit per neuron; no accumulator is
counted wider than 32 bits. Floating-point numbers (16 or 32 bits) count by their storage width.
"""

from dataclasses import dataclass

from hwmodel import op_count
from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer, Network

_WIDEST_ACCUMULATOR = 32
GAUSSIAN_BITS = 32
"""Bits of the entries of a Gaussian or learned P: real numbers that nothing quantises."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a layer's cost.

    Attributes
    ----------
    layer
        Name of the layer.
    term
        ``exact``, ``approximation``, ``projection``, ``rounding``, ``selection``, ``mask`` or
        ``noise``.
    macs, additions, comparisons, roundings
        Operations, for one input.
    bits
        Widths: weights x activations of MACs, width of additions or comparisons, inputs + projected
        of roundings.
    bitops
        BitOPs, for one input.
    """

    layer: str
    term: str
    macs: float
    additions: float
    comparisons: float
    roundings: float
    bits: str
    bitops: float


def ceil_log2(value: int) -> int:
    """Smallest integer b with 2^b at least `value` (itself at least 1)."""
    return (value - 1).bit_length()


def sum_bits(injection: Injection) -> int:
    """Width of the projection's additions, in bits.

    b_a + ceil(log2(non-zeros per row of P)), the true mean in place of the expected d / 3; rows of
    fewer than two non-zeros count as two. For a P of real numbers the accumulator's 32 bits.
    """
    if injection.real_projection:
        return _WIDEST_ACCUMULATOR
    rows = injection.k_c if injection.k_c is not None else injection.k
    per_row = max(2, -(-injection.nonzeros // rows))
    return min(_WIDEST_ACCUMULATOR, injection.input_bits + ceil_log2(per_row))


def accumulator_bits(weight_bits: int, activation_bits: int, terms: int) -> int:
    """Width that a dot product of `terms` products can fill, at most 32 bits."""
    return min(_WIDEST_ACCUMULATOR, weight_bits + activation_bits + ceil_log2(terms))


def exact_sum_bits(layer: Layer, exact_bits: int) -> int:
    """Width of the exact z, in bits."""
    return accumulator_bits(exact_bits, exact_bits, layer.d)


def score_bits(layer: Layer, injection: Injection, exact_bits: int) -> int:
    """Width of the scores that the selection compares, in bits.

    That of z~, or of the exact z for the ``oracle``. The growth of a block's sum is neglected.
    """
    if injection.selection == "oracle":
        return exact_sum_bits(layer, exact_bits)
    return accumulator_bits(injection.weight_bits, injection.projected_bits, injection.k)


def _term(layer: Layer, name: str, count: op_count.Operations, bits: str, bitops: float) -> Term:
    return Term(
        layer=layer.name,
        term=name,
        macs=count.macs,
        additions=count.additions,
        comparisons=count.comparisons,
        roundings=count.roundings,
        bits=bits,
        bitops=bitops,
    )


def dense_bitops(layer: Layer, bits: int) -> int:
    """BitOPs of the whole layer computed exactly at `bits` x `bits`."""
    return op_count.dense_macs(layer) * bits * bits


def exact_term(layer: Layer, exact_bits: int) -> Term:
    """Cost of the exact path: the essential neurons, or all of a layer without injection."""
    if layer.injection is None:
        count = op_count.Operations(macs=op_count.dense_macs(layer))
    else:
        count = op_count.exact_part(layer, layer.injection)
    bits = f"{exact_bits}x{exact_bits}"
    return _term(layer, "exact", count, bits, count.macs * exact_bits * exact_bits)


def approximation_term(layer: Layer, injection: Injection) -> Term:
    """Cost of W~ times the projected inputs, at weight bits x projected bits."""
    count = op_count.approximation(layer, injection)
    weight_bits, projected_bits = injection.weight_bits, injection.projected_bits
    bitops = count.macs * weight_bits * projected_bits
    return _term(layer, "approximation", count, f"{weight_bits}x{projected_bits}", bitops)


def projection_term(layer: Layer, injection: Injection) -> Term:
    """Cost of P x: additions at the width of the sums, or MACs at 32 x input bits if P is real."""
    count = op_count.projection(layer, injection)
    if injection.real_projection:
        bits, width = f"{GAUSSIAN_BITS}x{injection.input_bits}", 0
    else:
        width = sum_bits(injection)
        bits = str(width)
    bitops = count.macs * GAUSSIAN_BITS * injection.input_bits + count.additions * width
    return _term(layer, "projection", count, bits, bitops)


def rounding_term(layer: Layer, injection: Injection, exact_bits: int) -> Term:
    """Cost of Q_a and Q_p, each counted by the bits it yields."""
    inputs = op_count.input_roundings(layer, injection, exact_bits)
    projected = op_count.projected_roundings(layer, injection, sum_bits(injection))
    bitops = inputs * injection.input_bits + projected * injection.projected_bits
    count = op_count.Operations(roundings=inputs + projected)
    bits = f"{injection.input_bits}+{injection.projected_bits}"
    return _term(layer, "rounding", count, bits, bitops)


def selection_term(layer: Layer, injection: Injection, exact_bits: int) -> Term:
    """Cost of choosing the essential neurons, at the width of the scores.

    A normalised score is scaled by a constant of the same width.
    """
    count = op_count.selection(layer, injection)
    width = score_bits(layer, injection, exact_bits)
    bitops = (count.comparisons + count.additions) * width + count.macs * width * width
    return _term(layer, "selection", count, str(width), bitops)


def mask_term(layer: Layer, injection: Injection) -> Term:
    """Cost of the mask, one bit per neuron."""
    count = op_count.mask(layer, injection)
    return _term(layer, "mask", count, "1", count.mask_bits)


def noise_term(layer: Layer, injection: Injection, exact_bits: int) -> Term:
    """Cost of adding noise to exact values, at their width."""
    count = op_count.noise(layer, injection)
    width = exact_sum_bits(layer, exact_bits)
    return _term(layer, "noise", count, str(width), count.additions * width)


def layer_terms(layer: Layer, exact_bits: int) -> tuple[Term, ...]:
    """All terms of a layer, its exact path at `exact_bits`.

    Parameters
    ----------
    layer
        With or without injection.
    exact_bits
        Of weights and activations on the exact path.

    Returns
    -------
    tuple of Term
        ``exact`` alone for a layer without injection, else six, and ``noise`` where it is added to
        exact values.
    """
    injection = layer.injection
    exact = exact_term(layer, exact_bits)
    if injection is None:
        return (exact,)
    terms = (
        exact,
        approximation_term(layer, injection),
        projection_term(layer, injection),
        rounding_term(layer, injection, exact_bits),
        selection_term(layer, injection, exact_bits),
        mask_term(layer, injection),
    )
    if op_count.adds_noise(injection):
        return (*terms, noise_term(layer, injection, exact_bits))
    return terms


def count_operations(network: Network) -> list[Term]:
    """Operations and BitOPs of every layer and term, at the bits that were evaluated.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.

    Returns
    -------
    list of Term
        In the order of the layers, for one input.
    """
    return [term for layer in network.layers for term in layer_terms(layer, layer.exact_bits)]
