"""Latency of a batch by a roofline: t = max(operations / rate, bytes / bandwidth) + overhead.

An injected layer runs four phases one after the other, projection (with the roundings),
approximation, selection and exact (with the noise added to exact values), the first two only where
z~ is needed; another layer runs one. Phases do not overlap and share no cache. A precision below
what the platform supports runs at its lowest supported one: four bits gain no speed where hardware
has none. A precision above the highest supported one cannot run, and the latency is then unknown
(None). Source: NENNI cost protocol; constants from the preset.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from hwmodel import op_count, traffic
from hwmodel.bitops import GAUSSIAN_BITS, score_bits, sum_bits
from hwmodel.granularity import effective_fraction
from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer, Network
from hwmodel.preset import Preset
from hwmodel.product import approximation_product, dense_product, projection_product
from hwmodel.rates import (
    UnsupportedPrecisionError,
    Work,
    irregular_seconds,
    product_seconds,
    regular_seconds,
    supported_bits,
)
from hwmodel.reduction import BASELINES


@dataclass(frozen=True, slots=True)
class Phase:
    """Time of one phase, in seconds.

    Attributes
    ----------
    compute_s
        Of its operations.
    memory_s
        Of its bytes.
    overhead_s
        Of starting it.
    moved
        The bytes themselves.
    work
        Its matrix products; None if it has none, as where P costs its non-zeros only.
    """

    compute_s: float
    memory_s: float
    overhead_s: float
    moved: traffic.Traffic = field(default=traffic.Traffic(), compare=False)
    work: Work | None = field(default=None, compare=False)

    @property
    def seconds(self) -> float:
        """max(compute, memory) + overhead; a phase with nothing to do is never started."""
        busy = max(self.compute_s, self.memory_s)
        return busy + self.overhead_s if busy else 0.0

    @property
    def bound(self) -> str:
        """What limits it, ``compute`` or ``memory``; empty if it has nothing to do."""
        if not max(self.compute_s, self.memory_s):
            return ""
        return "compute" if self.compute_s >= self.memory_s else "memory"


_NOTHING = Phase(0.0, 0.0, 0.0)


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
        Share of the layer's neurons that are to be exact, and that the platform runs because they
        share a tile with one; 1 for a layer without injection, None for ``total``.
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


def _phase(
    preset: Preset, moved: traffic.Traffic, batch: int, work: Work | None, other_s: float = 0.0
) -> Phase:
    """A phase of matrix products and other operations, `moved` being the bytes of one input."""
    moved = moved.of_batch(batch)
    compute_s = other_s + (0.0 if work is None else product_seconds(preset, work))
    memory_s = moved.total / preset.bandwidth_bytes_per_s.value
    return Phase(compute_s, memory_s, preset.overhead_s.value, moved, work)


def dense_phase(layer: Layer, preset: Preset, bits: int, batch: int = 1) -> Phase:
    """Time the whole layer, computed exactly, at `bits` or the next supported width above."""
    run_bits = supported_bits(preset, bits)
    work = Work(dense_product(layer, batch), run_bits)
    return _phase(preset, traffic.dense_traffic(layer, run_bits), batch, work)


def projection_phase(layer: Layer, injection: Injection, preset: Preset, batch: int = 1) -> Phase:
    """Time Q_a, P x and Q_p.

    A sparse P runs as a dense matrix on the multipliers at the width of its inputs, or costs its
    non-zeros where zeros can be skipped and that is faster; a P of real numbers runs at 32 bits.
    """
    if not op_count.needs_approximation(injection):
        return _NOTHING
    roundings = op_count.input_roundings(layer, injection, layer.exact_bits)
    roundings += op_count.projected_roundings(layer, injection, sum_bits(injection))
    other_s = regular_seconds(preset, batch * roundings)
    least = GAUSSIAN_BITS if injection.real_projection else 0
    run_bits = supported_bits(preset, max(least, injection.input_bits))
    dense = Work(projection_product(layer, injection).of_batch(batch), run_bits)
    additions = op_count.projection(layer, injection).additions
    added_s = irregular_seconds(preset, batch * additions)
    can_skip = preset.skips_zeros.value and not injection.real_projection
    work = None if can_skip and added_s < product_seconds(preset, dense) else dense
    other_s += added_s if work is None else 0.0
    input_bits = supported_bits(preset, layer.exact_bits)
    projected_bits = supported_bits(preset, injection.projected_bits)
    moved = traffic.projection_traffic(layer, injection, input_bits, projected_bits)
    return _phase(preset, moved, batch, work, other_s)


def approximation_phase(
    layer: Layer, injection: Injection, preset: Preset, batch: int = 1
) -> Phase:
    """Time W~ times the projected inputs; both operands at the wider one's supported width."""
    if not op_count.needs_approximation(injection):
        return _NOTHING
    run_bits = supported_bits(preset, max(injection.weight_bits, injection.projected_bits))
    work = Work(approximation_product(layer, injection).of_batch(batch), run_bits)
    output_bits = supported_bits(preset, layer.exact_bits)
    moved = traffic.approximation_traffic(layer, injection, run_bits, run_bits, output_bits)
    return _phase(preset, moved, batch, work)


def selection_phase(layer: Layer, injection: Injection, preset: Preset, batch: int = 1) -> Phase:
    """Time judging z~, stored like the layer's outputs, and writing the mask.

    Thresholds, the pairs of N:M, the sums of blocks and bisection run on consecutive numbers;
    quickselect jumps.
    """
    width = score_bits(layer, injection, layer.exact_bits)
    count = op_count.selection(layer, injection, width)
    jumps = injection.algorithm == "quickselect"
    comparing_s = (irregular_seconds if jumps else regular_seconds)(preset, count.comparisons)
    judging_s = batch * (comparing_s + regular_seconds(preset, count.macs + count.additions))
    moved = traffic.selection_traffic(layer, injection, supported_bits(preset, layer.exact_bits))
    return _phase(preset, moved, batch, None, judging_s)


def exact_phase(layer: Layer, injection: Injection, preset: Preset, batch: int = 1) -> Phase:
    """Time the essential neurons and those that share a tile with one, and noise added to z."""
    run_bits = supported_bits(preset, layer.exact_bits)
    fraction = effective_fraction(injection, preset.tile_outputs.value)
    work = Work(dense_product(layer, batch), run_bits, fraction)
    if injection.selection == "channel" and fraction < 1:
        gathered = replace(dense_product(layer), n=ceil(fraction * layer.n / layer.groups))
        work = Work(gathered, run_bits, times=batch)
    added_s = irregular_seconds(preset, batch * op_count.noise(layer, injection).additions)
    moved = traffic.exact_traffic(layer, injection, run_bits, fraction, batch)
    return _phase(preset, moved, batch, work, added_s)


def _dense_seconds(layer: Layer, preset: Preset, bits: int, batch: int) -> float | None:
    try:
        return dense_phase(layer, preset, bits, batch).seconds
    except UnsupportedPrecisionError:
        return None


def injected_phases(
    layer: Layer, preset: Preset, batch: int = 1
) -> tuple[Phase, Phase, Phase, Phase] | None:
    """Projection, approximation, selection and exact phase, or None if the layer cannot run.

    A layer without injection has the last alone.
    """
    injection = layer.injection
    try:
        if injection is None:
            return _NOTHING, _NOTHING, _NOTHING, dense_phase(layer, preset, layer.exact_bits, batch)
        return (
            projection_phase(layer, injection, preset, batch),
            approximation_phase(layer, injection, preset, batch),
            selection_phase(layer, injection, preset, batch),
            exact_phase(layer, injection, preset, batch),
        )
    except UnsupportedPrecisionError:
        return None


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
    injection, tile = layer.injection, preset.tile_outputs.value
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
        executed=1.0 if injection is None else effective_fraction(injection, tile),
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
