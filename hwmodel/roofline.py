"""Latency of a batch by a roofline: t = max(operations / rate, bytes / bandwidth) + overhead.

An injected layer runs four phases one after the other, projection (with the roundings),
approximation, selection and exact (with the noise added to exact values), the first two only where
z~ is needed; another layer runs one. Phases do not overlap and share no cache. A precision below
what the platform supports runs at its lowest supported one: four bits gain no speed where hardware
has none. A precision above the highest supported one cannot run, and the latency is then unknown
(None). Source: NENNI cost protocol; constants from the preset.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from hwmodel import op_count, traffic
from hwmodel.bitops import REAL_BITS, exact_sum_bits, score_bits, sum_bits
from hwmodel.granularity import effective_fraction
from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer
from hwmodel.phase import NOTHING, Elementwise, Phase
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

PHASES = ("projection", "approximation", "selection", "exact")
"""In the order in which an injected layer runs them."""
_WIDEST_INTEGER = 8
"""Numbers of more bits on the exact path are floating point."""


def _phase(
    preset: Preset, moved: traffic.Traffic, batch: int, work: Work | None, *others: Elementwise
) -> Phase:
    """A phase of matrix products and other operations, `moved` being the bytes of one input."""
    moved = moved.of_batch(batch)
    compute_s = 0.0 if work is None else product_seconds(preset, work)
    compute_s += sum(_elementwise_seconds(preset, other, batch) for other in others)
    memory_s = moved.total / preset.bandwidth_bytes_per_s.value
    return Phase(compute_s, memory_s, preset.overhead_s.value, moved, work, others, batch)


def _elementwise_seconds(preset: Preset, other: Elementwise, batch: int) -> float:
    seconds = regular_seconds if other.streams else irregular_seconds
    return seconds(preset, batch * other.count)


def dense_phase(layer: Layer, preset: Preset, bits: int, batch: int = 1) -> Phase:
    """Time the whole layer, computed exactly, at `bits` or the next supported width above."""
    run_bits = supported_bits(preset, bits)
    work = Work(dense_product(layer, batch), run_bits)
    return _phase(preset, traffic.dense_traffic(layer, run_bits), batch, work)


def _projection_bits(injection: Injection) -> int:
    return max(REAL_BITS if injection.projection.real else 0, injection.input_bits)


def projection_phase(layer: Layer, injection: Injection, preset: Preset, batch: int = 1) -> Phase:
    """Time Q_a, P x and Q_p.

    A sparse P runs as a dense matrix on the multipliers at the width of its inputs, or costs its
    non-zeros where zeros can be skipped and that is faster, or where no multiplier is as wide; a P
    of real numbers runs at 32 bits.
    """
    if not op_count.needs_approximation(injection):
        return NOTHING
    can_skip = preset.skips_zeros.value and not injection.projection.real
    work: Work | None = None
    others = _roundings(layer, injection)
    if preset.run_bits(_projection_bits(injection)) is not None or not can_skip:
        run_bits = supported_bits(preset, _projection_bits(injection))
        work = Work(projection_product(layer, injection).of_batch(batch), run_bits)
    if can_skip:
        added = _additions_of_zeros_skipped(layer, injection)
        added_s = _elementwise_seconds(preset, added, batch)
        if work is None or added_s < product_seconds(preset, work):
            work, others = None, (*others, added)
    input_bits = supported_bits(preset, layer.exact_bits)
    projected_bits = supported_bits(preset, max(injection.weight_bits, injection.projected_bits))
    moved = traffic.projection_traffic(layer, injection, input_bits, projected_bits)
    return _phase(preset, moved, batch, work, *others)


def _roundings(layer: Layer, injection: Injection) -> tuple[Elementwise, ...]:
    """Q_a and Q_p, each an addition of the bits it yields."""
    inputs = op_count.input_roundings(layer, injection, layer.exact_bits)
    projected = op_count.projected_roundings(layer, injection, sum_bits(injection))
    return (
        Elementwise(inputs, "add", injection.input_bits, streams=True),
        Elementwise(projected, "add", injection.projected_bits, streams=True),
    )


def _additions_of_zeros_skipped(layer: Layer, injection: Injection) -> Elementwise:
    """An addition for each non-zero of P, of integers up to inputs of 8 bits."""
    count = op_count.projection(layer, injection).additions
    if injection.input_bits > _WIDEST_INTEGER:
        return Elementwise(count, "float_add", injection.input_bits, streams=False)
    return Elementwise(count, "add", sum_bits(injection), streams=False)


def approximation_phase(
    layer: Layer, injection: Injection, preset: Preset, batch: int = 1
) -> Phase:
    """Time W~ times the projected inputs, z~ leaving it as output and, if it is judged, as score.

    A score leaves it normalised, and as wide as it is compared.
    """
    if not op_count.needs_approximation(injection):
        return NOTHING
    run_bits = supported_bits(preset, max(injection.weight_bits, injection.projected_bits))
    work = Work(approximation_product(layer, injection).of_batch(batch), run_bits)
    output_bits = supported_bits(preset, layer.exact_bits)
    width = score_bits(layer, injection, layer.exact_bits)
    moved = traffic.approximation_traffic(layer, injection, run_bits, run_bits, output_bits, width)
    return _phase(preset, moved, batch, work)


def selection_phase(layer: Layer, injection: Injection, preset: Preset, batch: int = 1) -> Phase:
    """Time judging the scores, as often as the algorithm passes over them, and writing the mask.

    Quickselect jumps; bisection and all other operations run on consecutive numbers.
    """
    width = score_bits(layer, injection, layer.exact_bits)
    count = op_count.selection(layer, injection, width)
    jumps = injection.selection.algorithm == "quickselect"
    jumping = op_count.ranking_comparisons(layer, injection, width) if jumps else 0
    return _phase(
        preset, traffic.selection_traffic(layer, injection, width), batch, None,
        Elementwise(jumping, "add", width, streams=False),
        Elementwise(count.comparisons - jumping + count.additions, "add", width, streams=True),
        Elementwise(count.macs, "multiply_add", width, streams=True),
    )  # fmt: skip


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
        is_less = product_seconds(preset, alone) <= product_seconds(preset, whole)
        work = alone if is_less else whole
    moved = traffic.exact_traffic(
        layer, injection, run_bits, score_bits(layer, injection, layer.exact_bits), fraction, batch
    )
    added = op_count.noise(layer, injection).additions
    return _phase(preset, moved, batch, work, _noise(layer, added))


def _noise(layer: Layer, count: float) -> Elementwise:
    if layer.exact_bits > _WIDEST_INTEGER:
        return Elementwise(count, "float_add", layer.exact_bits, streams=False)
    return Elementwise(count, "add", exact_sum_bits(layer, layer.exact_bits), streams=False)


def injected_phases(
    layer: Layer, preset: Preset, batch: int = 1
) -> tuple[Phase, Phase, Phase, Phase] | None:
    """Projection, approximation, selection and exact phase, or None if the layer cannot run.

    A layer without injection has the last alone.
    """
    injection = layer.injection
    try:
        if injection is None:
            return NOTHING, NOTHING, NOTHING, dense_phase(layer, preset, layer.exact_bits, batch)
        return (
            projection_phase(layer, injection, preset, batch),
            approximation_phase(layer, injection, preset, batch),
            selection_phase(layer, injection, preset, batch),
            exact_phase(layer, injection, preset, batch),
        )
    except UnsupportedPrecisionError:
        return None


def named_phases(layer: Layer, preset: Preset, batch: int) -> Iterator[tuple[str, Phase]]:
    """The dense layer at its own bits, then the phases of its injection that have work to do."""
    try:
        yield "dense", dense_phase(layer, preset, layer.exact_bits, batch)
    except UnsupportedPrecisionError:
        return
    if layer.injection is not None:
        phases = injected_phases(layer, preset, batch) or ()
        yield from ((n, p) for n, p in zip(PHASES, phases, strict=False) if p.bound)
