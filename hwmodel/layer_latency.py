"""Latency of a batch per layer and in total: dense at each baseline's bits, and injected.

The phases of `hwmodel.roofline`, as the platform's schedule has them (`hwmodel.schedule`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwmodel.alike import Grouped, alike
from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.rates import UnsupportedPrecisionError, product_seconds
from hwmodel.roofline import injected_phases
from hwmodel.schedule import layer_seconds
from hwmodel.whole_layer import dense_phase


@dataclass(frozen=True, slots=True)
class LayerLatency:
    """Latency of a layer, or of the whole network, in seconds for one batch.

    None stands for a precision that the platform lacks.

    Attributes
    ----------
    layer
        Name, or ``total``.
    dense_fp32_s, dense_fp16_s, dense_int8_s, dense_int4_s
        Of the layer without injection; the last where the platform has a rate for 4 bits alone.
    injected_s
        As evaluated: of the four phases, which follow, together.
    projection_s, approximation_s, selection_s, exact_s
        Phases, each as if alone; all but the last 0 for a layer without injection.
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
    dense_int4_s: float | None
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
    widths = preset.compared_bits
    dense = {bits: _dense_seconds(layer, preset, bits, batch) for bits in widths}
    phases = injected_phases(layer, preset, batch)
    seconds = [None] * 4 if phases is None else [phase.seconds for phase in phases]
    projection_s, approximation_s, selection_s, exact_s = seconds
    injection = layer.injection
    return LayerLatency(
        layer=layer.name,
        dense_fp32_s=dense[32],
        dense_fp16_s=dense[16],
        dense_int8_s=dense[8],
        dense_int4_s=dense.get(4),
        injected_s=None
        if phases is None
        else layer_seconds(phases, preset.order, layer.injection, batch),
        projection_s=projection_s,
        approximation_s=approximation_s,
        selection_s=selection_s,
        exact_s=exact_s,
        bound="" if phases is None else phases[-1].bound,
        essential=1.0 if injection is None else injection.measured_fraction,
        executed=None if phases is None else _executed(layer, preset, phases[-1], batch),
    )


_TIMES = (
    "dense_fp32_s", "dense_fp16_s", "dense_int8_s", "dense_int4_s", "injected_s", "projection_s",
    "approximation_s", "selection_s", "exact_s",
)  # fmt: skip


def _total(rows: Sequence[tuple[LayerLatency, int]]) -> LayerLatency:
    """Sum over rows that count so many times, None wherever one of them is."""
    sums: dict[str, Any] = {name: _sum_or_none(rows, name) for name in _TIMES}
    return LayerLatency(layer="total", **sums, bound="", essential=None, executed=None)


def _sum_or_none(rows: Sequence[tuple[LayerLatency, int]], name: str) -> float | None:
    known = [(value, n) for row, n in rows if (value := getattr(row, name)) is not None]
    return sum(n * value for value, n in known) if len(known) == len(rows) else None


def total_latency(network: Grouped, preset: Preset, batch: int = 1) -> LayerLatency:
    """Latency of the whole network alone, as the last row of `latency`."""
    parts = network.parts
    return _total([(layer_latency(layer, preset, batch), count) for layer, count in parts])


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

    def of_layer(layer: Layer) -> Sequence[LayerLatency]:
        return [layer_latency(layer, preset, batch)]

    rows = alike(network.layers, of_layer, lambda row, name: replace(row, layer=name))
    return [*rows, _total([(row, 1) for row in rows])]
