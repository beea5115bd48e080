"""Bit widths and BitOPs of each term of a layer.

From the NENNI cost protocol: a multiply-accumulate counts weight bits times activation bits, or by
another convention of `hwmodel.metrics`; an addition its bits. Chosen here where the protocol is
silent: a comparison counts the bits of the scores it compares, a rounding the bits it yields, the
mask one bit per neuron; no accumulator is counted wider than 32 bits. Floating-point numbers (16 or
32 bits) count by their storage width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwmodel import op_count
from hwmodel.alike import Grouped, alike
from hwmodel.defence_spec import Defence
from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer
from hwmodel.metrics import Metric, accumulator_bits, addition_bits, mac_bitops
from hwmodel.network_spec import Network

REAL_BITS = 32
"""Bits of the entries of a P of real numbers, which nothing quantises."""
DRAW_BITS = 32
"""Bits of the additions that make a random number."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a layer's cost.

    Attributes
    ----------
    layer
        Name of the layer.
    term
        ``exact``, ``approximation``, ``projection``, ``rounding``, ``selection``, ``mask``,
        ``noise``, or ``defence``: what a defence other than an injection adds.
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


def sum_bits(injection: Injection) -> int:
    """Width of the projection's additions, in bits.

    b_a + ceil(log2(non-zeros per row of P)), the true mean in place of the expected d / 3; rows of
    fewer than two non-zeros count as two. For a P of real numbers the accumulator's 32 bits.
    """
    if injection.projection.real:
        return accumulator_bits(REAL_BITS, injection.input_bits, 1)
    rows = injection.k_c if injection.k_c is not None else injection.k
    per_row = max(2, -(-injection.nonzeros // rows))
    return addition_bits(injection.input_bits, per_row)


def exact_sum_bits(layer: Layer, exact_bits: int) -> int:
    """Width of the exact z, in bits."""
    return accumulator_bits(exact_bits, exact_bits, layer.d)


def score_bits(layer: Layer, injection: Injection, exact_bits: int) -> int:
    """Width of the scores that the selection compares, in bits.

    That of z~, or of the exact z where that is judged. The growth of a tile's sum is neglected.
    """
    if injection.selection.judges == "exact":
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


def dense_bitops(layer: Layer, bits: int, metric: Metric = "product") -> int:
    """BitOPs of the whole layer computed exactly at `bits` x `bits`."""
    return op_count.dense_macs(layer) * mac_bitops(bits, bits, layer.d, metric)


def exact_term(layer: Layer, exact_bits: int, metric: Metric = "product") -> Term:
    """Cost of the exact path: the essential neurons, or all of a layer without injection."""
    if layer.injection is None:
        count = op_count.Operations(macs=op_count.kept_macs(layer))
    else:
        count = op_count.exact_part(layer, layer.injection)
    bits = f"{exact_bits}x{exact_bits}"
    bitops = count.macs * mac_bitops(exact_bits, exact_bits, layer.d, metric)
    return _term(layer, "exact", count, bits, bitops)


def approximation_term(layer: Layer, injection: Injection, metric: Metric = "product") -> Term:
    """Cost of W~ times the projected inputs, at weight bits x projected bits."""
    count = op_count.approximation(layer, injection)
    weight_bits, projected_bits = injection.weight_bits, injection.projected_bits
    bitops = count.macs * mac_bitops(weight_bits, projected_bits, injection.k, metric)
    return _term(layer, "approximation", count, f"{weight_bits}x{projected_bits}", bitops)


def projection_term(layer: Layer, injection: Injection, metric: Metric = "product") -> Term:
    """Cost of P x: additions at the width of the sums, or MACs at 32 x input bits if P is real."""
    count = op_count.projection(layer, injection)
    if injection.projection.real:
        bits, width = f"{REAL_BITS}x{injection.input_bits}", 0
    else:
        width = sum_bits(injection)
        bits = str(width)
    inputs = layer.in_channels // layer.groups if injection.k_c is not None else layer.d
    each = mac_bitops(REAL_BITS, injection.input_bits, inputs, metric)
    bitops = count.macs * each + count.additions * width
    return _term(layer, "projection", count, bits, bitops)


def rounding_term(layer: Layer, injection: Injection, exact_bits: int) -> Term:
    """Cost of Q_a and Q_p, each counted by the bits it yields."""
    inputs = op_count.input_roundings(layer, injection, exact_bits)
    projected = op_count.projected_roundings(layer, injection, sum_bits(injection))
    bitops = inputs * injection.input_bits + projected * injection.projected_bits
    count = op_count.Operations(roundings=inputs + projected)
    bits = f"{injection.input_bits}+{injection.projected_bits}"
    return _term(layer, "rounding", count, bits, bitops)


def selection_term(
    layer: Layer, injection: Injection, exact_bits: int, metric: Metric = "product"
) -> Term:
    """Cost of choosing the essential neurons, at the width of the scores.

    A normalised score is scaled by a constant of the same width.
    """
    width = score_bits(layer, injection, exact_bits)
    count = op_count.selection(layer, injection, width)
    scaled = count.macs * mac_bitops(width, width, 1, metric)
    bitops = (count.comparisons + count.additions) * width + scaled
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


def defence_term(
    layer: Layer, defence: Defence, exact_bits: int, metric: Metric = "product"
) -> Term:
    """Cost of what a defence adds, at the width of the outputs; of draws at 32 bits."""
    count = op_count.defence(defence)
    width = exact_sum_bits(layer, exact_bits)
    bitops = (
        defence.macs * mac_bitops(width, width, 1, metric)
        + (defence.additions + count.comparisons) * width
        + op_count.draw_additions(defence) * DRAW_BITS
    )
    return _term(layer, "defence", count, str(width), bitops)


def layer_terms(layer: Layer, exact_bits: int, metric: Metric = "product") -> tuple[Term, ...]:
    """All terms of a layer, its exact path at `exact_bits`.

    Parameters
    ----------
    layer
        With or without injection.
    exact_bits
        Of weights and activations on the exact path.
    metric
        What a multiply-accumulate counts.

    Returns
    -------
    tuple of Term
        ``exact`` alone for a layer without injection, and ``defence`` where another defence is in
        it; else six, and ``noise`` where it is added to exact values.
    """
    injection = layer.injection
    exact = exact_term(layer, exact_bits, metric)
    if injection is None:
        defence = layer.defence
        return (exact,) if defence is None else (
            exact, defence_term(layer, defence, exact_bits, metric),
        )  # fmt: skip
    terms = (
        exact,
        approximation_term(layer, injection, metric),
        projection_term(layer, injection, metric),
        rounding_term(layer, injection, exact_bits),
        selection_term(layer, injection, exact_bits, metric),
        mask_term(layer, injection),
    )
    if op_count.adds_noise(injection):
        return (*terms, noise_term(layer, injection, exact_bits))
    return terms


def count_operations(network: Network, metric: Metric = "product") -> list[Term]:
    """Operations and BitOPs of every layer and term, at the bits that were evaluated.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    metric
        What a multiply-accumulate counts: see `hwmodel.metrics`.

    Returns
    -------
    list of Term
        In the order of the layers, for one input.
    """

    def of_layer(layer: Layer) -> Sequence[Term]:
        return layer_terms(layer, layer.exact_bits, metric)

    return alike(network.layers, of_layer, lambda row, name: replace(row, layer=name))


def total_operations(network: Grouped, metric: Metric = "product") -> list[Term]:
    """Operations and BitOPs of each term over all layers, and of ``all`` terms."""
    sums: dict[str, list[float]] = {}
    for layer, count in network.parts:
        for term in layer_terms(layer, layer.exact_bits, metric):
            values = (term.macs, term.additions, term.comparisons, term.roundings, term.bitops)
            for name in (term.term, "all"):
                before = sums.get(name, [0.0] * len(values))
                sums[name] = [old + count * new for old, new in zip(before, values, strict=True)]
    sums["all"] = sums.pop("all")
    return [
        Term("total", name, macs, additions, comparisons, roundings, "", bitops)
        for name, (macs, additions, comparisons, roundings, bitops) in sums.items()
    ]
