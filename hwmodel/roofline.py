"""Latency of a batch by a roofline: t = max(operations / rate, bytes / bandwidth) + overhead.

An injected layer runs four phases one after the other, projection (with the roundings),
approximation, selection and exact (with the noise added to exact values), the first two only where
z~ is needed; another layer runs one. Phases do not overlap and share no cache. A precision below
what the platform supports runs at its lowest supported one: four bits gain no speed where hardware
has none. A precision above the highest supported one cannot run, and the latency is then unknown
(None). Source: NENNI cost protocol; constants from the preset.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil

from hwmodel import op_count, traffic
from hwmodel.bitops import REAL_BITS, score_bits, sum_bits
from hwmodel.granularity import effective_fraction
from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer
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


def _projection_bits(injection: Injection) -> int:
    return max(REAL_BITS if injection.projection.real else 0, injection.input_bits)


def widths(injection: Injection) -> tuple[int, int]:
    """Widths that the multipliers should have, for P and for W~; 0 where z~ is not needed."""
    if not op_count.needs_approximation(injection):
        return 0, 0
    return _projection_bits(injection), max(injection.weight_bits, injection.projected_bits)


def projection_phase(layer: Layer, injection: Injection, preset: Preset, batch: int = 1) -> Phase:
    """Time Q_a, P x and Q_p.

    A sparse P runs as a dense matrix on the multipliers at the width of its inputs, or costs its
    non-zeros where zeros can be skipped and that is faster, or where no multiplier is as wide; a P
    of real numbers runs at 32 bits.
    """
    if not op_count.needs_approximation(injection):
        return _NOTHING
    roundings = op_count.input_roundings(layer, injection, layer.exact_bits)
    roundings += op_count.projected_roundings(layer, injection, sum_bits(injection))
    other_s = regular_seconds(preset, batch * roundings)
    can_skip = preset.skips_zeros.value and not injection.projection.real
    work = None
    if preset.run_bits(_projection_bits(injection)) is not None or not can_skip:
        run_bits = supported_bits(preset, _projection_bits(injection))
        work = Work(projection_product(layer, injection).of_batch(batch), run_bits)
    additions = op_count.projection(layer, injection).additions
    added_s = irregular_seconds(preset, batch * additions)
    if can_skip and (work is None or added_s < product_seconds(preset, work)):
        work, other_s = None, other_s + added_s
    input_bits = supported_bits(preset, layer.exact_bits)
    projected_bits = supported_bits(preset, max(injection.weight_bits, injection.projected_bits))
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

    Quickselect jumps; bisection and all other operations run on consecutive numbers.
    """
    width = score_bits(layer, injection, layer.exact_bits)
    count = op_count.selection(layer, injection, width)
    jumps = injection.selection.algorithm == "quickselect"
    jumping = op_count.ranking_comparisons(layer, injection, width) if jumps else 0
    streamed_s = regular_seconds(preset, count.comparisons - jumping)
    comparing_s = irregular_seconds(preset, jumping) + streamed_s
    judging_s = batch * (comparing_s + regular_seconds(preset, count.macs + count.additions))
    moved = traffic.selection_traffic(layer, injection, supported_bits(preset, layer.exact_bits))
    return _phase(preset, moved, batch, None, judging_s)


def exact_phase(layer: Layer, injection: Injection, preset: Preset, batch: int = 1) -> Phase:
    """Time the essential neurons and those that share a tile with one, and noise added to z.

    Whole channels of each input are gathered for it alone, unless the whole layer takes less.
    """
    run_bits = supported_bits(preset, layer.exact_bits)
    fraction = effective_fraction(injection, preset.tile_outputs.value, layer.n)
    work = Work(dense_product(layer, batch), run_bits, fraction)
    if injection.selection.takes_channels and fraction < 1:
        n = ceil(fraction * layer.n / layer.groups)
        alone = Work(replace(dense_product(layer), n=n), run_bits, times=batch)
        whole = Work(dense_product(layer, batch), run_bits)
        work = min(alone, whole, key=partial(product_seconds, preset))
    added_s = irregular_seconds(preset, batch * op_count.noise(layer, injection).additions)
    moved = traffic.exact_traffic(layer, injection, run_bits, fraction, batch)
    return _phase(preset, moved, batch, work, added_s)


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
