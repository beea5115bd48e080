"""Latency of a batch per layer and in total: dense at each baseline's bits, and injected.

The phases of `hwmodel.roofline`, one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hwmodel.layer_spec import Layer, Network
from hwmodel.preset import Preset
from hwmodel.rates import UnsupportedPrecisionError, product_seconds
from hwmodel.reduction import BASELINES
from hwmodel.roofline import Phase, dense_phase, injected_phases


@dataclass(frozen=True, slots=True)
class LayerLatency:
    """Latency of a layer, or of the whole network, in seconds for one batch.

    None stands for a precision that the platform lacks.

    Attributes
    ----------
    layer
        Name, or ``total``.
    dense_fp32_s, dense_fp16_s, dense_int8_s
        Of the layer without injection.
    injected_s
        As evaluated: the sum of the four phases, which follow.
    projection_s, approximation_s, selection_s, exact_s
        Phases; all but the last 0 for a layer without injection.
    bound
        What limits the exact phase, ``compute`` or ``memory``; empty if it is empty, for ``total``
        and where the precision is lacking.
    essential, executed
        Share of the layer's neurons that are to be exact, and of the dense layer's time on the
        multipliers that they take, as whole tiles run; 1 for a layer without injection, None for
        ``total`` and where the precision is lacking.
    """

    layer: str
    dense_fp32_s: float | None
    dense_fp16_s: float | None
    dense_int8_s: float | None
    injected_s: float | None
    projection_s: float | None
    approximation_s: float | None
    selection_s: float | None
    exact_s: float | None
    bound: str
    essential: float | None
    executed: float | None


def _dense_seconds(layer: Layer, preset: Preset, bits: int, batch: int) -> float | None:
    try:
        return dense_phase(layer, preset, bits, batch).seconds
    except UnsupportedPrecisionError:
        return None


def _executed(layer: Layer, preset: Preset, exact: Phase, batch: int) -> float:
    dense = dense_phase(layer, preset, layer.exact_bits, batch)
    if exact.work is None or dense.work is None:
        return 0.0
    return product_seconds(preset, exact.work) / product_seconds(preset, dense.work)


def _sum_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def layer_latency(layer: Layer, preset: Preset, batch: int = 1) -> LayerLatency:
    """Latency of one layer.

    Parameters
    ----------
    layer
        With or without injection.
    preset
        The platform.
    batch
        Inputs at once.
    """
    fp32_s, fp16_s, int8_s = (_dense_seconds(layer, preset, b, batch) for b in BASELINES.values())
    phases = injected_phases(layer, preset, batch)
    seconds = [None] * 4 if phases is None else [phase.seconds for phase in phases]
    projection_s, approximation_s, selection_s, exact_s = seconds
    injection = layer.injection
    return LayerLatency(
        layer=layer.name,
        dense_fp32_s=fp32_s,
        dense_fp16_s=fp16_s,
        dense_int8_s=int8_s,
        injected_s=_sum_or_none(seconds),
        projection_s=projection_s,
        approximation_s=approximation_s,
        selection_s=selection_s,
        exact_s=exact_s,
        bound="" if phases is None else phases[-1].bound,
        essential=1.0 if injection is None else injection.measured_fraction,
        executed=None if phases is None else _executed(layer, preset, phases[-1], batch),
    )


def total_latency(rows: Sequence[LayerLatency]) -> LayerLatency:
    """Sum over layers, None wherever one of them is."""
    return LayerLatency(
        layer="total",
        dense_fp32_s=_sum_or_none([row.dense_fp32_s for row in rows]),
        dense_fp16_s=_sum_or_none([row.dense_fp16_s for row in rows]),
        dense_int8_s=_sum_or_none([row.dense_int8_s for row in rows]),
        injected_s=_sum_or_none([row.injected_s for row in rows]),
        projection_s=_sum_or_none([row.projection_s for row in rows]),
        approximation_s=_sum_or_none([row.approximation_s for row in rows]),
        selection_s=_sum_or_none([row.selection_s for row in rows]),
        exact_s=_sum_or_none([row.exact_s for row in rows]),
        bound="",
        essential=None,
        executed=None,
    )


def latency(network: Network, preset: Preset, batch: int = 1) -> list[LayerLatency]:
    """Latency of every layer and of the whole network.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    preset
        As read by `hwmodel.load_preset`.
    batch
        Inputs at once: they share the weights and the overheads.

    Returns
    -------
    list of LayerLatency
        In the order of the layers, ``total`` last.
    """
    rows = [layer_latency(layer, preset, batch) for layer in network.layers]
    return [*rows, total_latency(rows)]
