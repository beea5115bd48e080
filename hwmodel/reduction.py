"""BitOPs against dense FP32, FP16 and INT8, with and without the overheads.

Layers that stay exact are on both sides. "Without" is what papers usually count, the exact part and
the approximation; "with" adds the projection, the roundings, the selection, the mask and noise that
is added to exact values. A negative reduction is a loss and is reported as it is. Source: NENNI
cost protocol.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hwmodel.alike import Grouped, alike
from hwmodel.bitops import dense_bitops, layer_terms
from hwmodel.layer_spec import Layer
from hwmodel.metrics import Metric
from hwmodel.network_spec import Network

BASELINES = {"fp32": 32, "fp16": 16, "int8": 8}
"""Bits of weights and activations of each dense baseline."""

VARIANTS = ("as_evaluated", "exact_at_baseline")
"""Exact path and untouched layers at the bits that were evaluated, or at those of the baseline."""

_PAIRS = tuple((baseline, variant) for baseline in BASELINES for variant in VARIANTS)
_COUNTED_WITHOUT_OVERHEADS = ("exact", "approximation")


@dataclass(frozen=True, slots=True)
class Reduction:
    """BitOPs of a layer, or of the whole network, against one baseline.

    Attributes
    ----------
    layer
        Name, or ``total``.
    baseline, variant
        Keys of `BASELINES` and `VARIANTS`.
    evaluated
        Whether the accuracy of these bits was evaluated.
    dense_bitops
        Of the baseline.
    bitops_without, bitops_with
        Of the injected network, without and with the overheads.
    """

    layer: str
    baseline: str
    variant: str
    evaluated: bool
    dense_bitops: float
    bitops_without: float
    bitops_with: float

    @property
    def reduction_without(self) -> float:
        """Share of the baseline's BitOPs that is saved, overheads left out."""
        return 1 - self.bitops_without / self.dense_bitops

    @property
    def reduction_with(self) -> float:
        """Share of the baseline's BitOPs that is saved, everything counted."""
        return 1 - self.bitops_with / self.dense_bitops


def layer_reduction(
    layer: Layer, baseline: str, variant: str, metric: Metric = "product"
) -> Reduction:
    """Compare one layer with one baseline.

    Parameters
    ----------
    layer
        With or without injection.
    baseline, variant
        Keys of `BASELINES` and `VARIANTS`.
    metric
        What a multiply-accumulate counts.

    Returns
    -------
    Reduction
        Marked as evaluated where its exact path has the recorded bits.
    """
    baseline_bits = BASELINES[baseline]
    exact_bits = layer.exact_bits if variant == "as_evaluated" else baseline_bits
    terms = layer_terms(layer, exact_bits, metric)
    return Reduction(
        layer=layer.name,
        baseline=baseline,
        variant=variant,
        evaluated=exact_bits == layer.exact_bits,
        dense_bitops=dense_bitops(layer, baseline_bits, metric),
        bitops_without=sum(t.bitops for t in terms if t.term in _COUNTED_WITHOUT_OVERHEADS),
        bitops_with=sum(t.bitops for t in terms),
    )


def _total(rows: Iterable[tuple[Reduction, int]], baseline: str, variant: str) -> Reduction:
    """Sum over rows that count so many times."""
    chosen = [(row, n) for row, n in rows if (row.baseline, row.variant) == (baseline, variant)]
    return Reduction(
        layer="total",
        baseline=baseline,
        variant=variant,
        evaluated=all(row.evaluated for row, _ in chosen),
        dense_bitops=sum(n * row.dense_bitops for row, n in chosen),
        bitops_without=sum(n * row.bitops_without for row, n in chosen),
        bitops_with=sum(n * row.bitops_with for row, n in chosen),
    )


def reductions(network: Network, metric: Metric = "product") -> list[Reduction]:
    """Compare every layer, and the network in total, with every baseline.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    metric
        What a multiply-accumulate counts: see `hwmodel.metrics`.

    Returns
    -------
    list of Reduction
        One per layer, baseline and variant; the rows of ``total`` come last.
    """
    rows = alike(
        network.layers,
        lambda layer: _of_layer(layer, network.assumed, metric),
        lambda row, name: replace(row, layer=name),
    )
    return rows + [_total(((row, 1) for row in rows), *pair) for pair in _PAIRS]


def total_reductions(network: Grouped, metric: Metric = "product") -> list[Reduction]:
    """The network in total alone, against every baseline."""
    rows = [
        (row, count)
        for layer, count in network.parts
        for row in _of_layer(layer, network.assumed, metric)
    ]
    return [_total(rows, *pair) for pair in _PAIRS]


def _of_layer(layer: Layer, assumed: bool, metric: Metric) -> Sequence[Reduction]:
    rows = [layer_reduction(layer, *pair, metric) for pair in _PAIRS]
    return [replace(row, evaluated=False) for row in rows] if assumed else rows
