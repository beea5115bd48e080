"""Latency of a batch by a roofline: t = max(operations / rate, bytes / bandwidth) + overhead.

An injected layer runs four phases, projection (with the roundings), approximation, selection and
exact (with the noise added to exact values), the first two only where z~ is needed; another layer
runs one. What they hand to each other crosses the memory or stays on the chip, and what they take
together, by the platform's schedule (`hwmodel.fusion`, `hwmodel.schedule`). A precision below
what the platform supports runs at its lowest supported one: four bits gain no speed where hardware
has none. A precision above the highest supported one cannot run, and the latency is then unknown
(None). Source: NENNI cost protocol; constants from the preset.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from hwmodel import op_count, traffic
from hwmodel.bitops import REAL_BITS, exact_sum_bits, score_bits, sum_bits
from hwmodel.defended import own_phase
from hwmodel.fusion import Kept
from hwmodel.fusion import kept as kept_on_chip
from hwmodel.granularity import effective_fraction
from hwmodel.imbalance import waiting
from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer
from hwmodel.phase import NOTHING, Elementwise, Phase
from hwmodel.preset import Preset
from hwmodel.product import Product, approximation_product, dense_product, projection_product
from hwmodel.rates import (
    UnsupportedPrecisionError,
    Work,
    array_bytes,
    product_seconds,
    side_by_side,
    supported_bits,
)
from hwmodel.traffic import Traffic
from hwmodel.whole_layer import NO_BYTES, dense_phase, elementwise_seconds, phase_of

PHASES = ("projection", "approximation", "selection", "exact")
"""In the order in which an injected layer runs them."""
_WIDEST_INTEGER = 8
"""Numbers of more bits on the exact path are floating point."""


def _kept(layer: Layer, injection: Injection, preset: Preset, batch: int) -> Kept:
    width = score_bits(layer, injection, layer.exact_bits)
    return kept_on_chip(layer, injection, preset, width, batch)


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
    input_bits = supported_bits(preset, layer.exact_bits)
    skipped = Work(projection_product(layer, injection).of_batch(batch), input_bits)
    if preset.run_bits(_projection_bits(injection)) is not None or not can_skip:
        work = replace(skipped, run_bits=supported_bits(preset, _projection_bits(injection)))
    if can_skip:
        added = _additions_of_zeros_skipped(layer, injection)
        added_s = elementwise_seconds(preset, added, batch)
        if work is None or added_s < product_seconds(preset, work):
            work, others = None, (*others, added)
    projected_bits = supported_bits(preset, max(injection.weight_bits, injection.projected_bits))
    moved = traffic.projection_traffic(layer, injection, input_bits, projected_bits)
    stays = _kept(layer, injection, preset, batch).projected
    kept = Traffic(outputs=moved.outputs) if stays else NO_BYTES
    return phase_of(preset, moved, batch, work, *others, kept=kept, skipped=skipped)


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

    A score leaves it normalised, and as wide as it is compared. Where z~ stays on the chip until
    the exact part is done, what that computes is not written twice.
    """
    if not op_count.needs_approximation(injection):
        return NOTHING
    run_bits = supported_bits(preset, max(injection.weight_bits, injection.projected_bits))
    work = Work(approximation_product(layer, injection).of_batch(batch), run_bits)
    output_bits = supported_bits(preset, layer.exact_bits)
    width = score_bits(layer, injection, layer.exact_bits)
    moved = traffic.approximation_traffic(layer, injection, run_bits, run_bits, output_bits, width)
    stays = _kept(layer, injection, preset, batch)
    scores = traffic.judged_bytes(layer, injection, "approximate", width)
    outputs = scores if stays.scores else 0.0
    if stays.approximation:
        _, share = _exact_product(layer, injection, preset, batch)
        outputs += share * (moved.outputs - scores)
    kept = Traffic(inputs=moved.inputs if stays.projected else 0, outputs=outputs)
    return phase_of(preset, moved, batch, work, kept=kept)


def selection_phase(layer: Layer, injection: Injection, preset: Preset, batch: int = 1) -> Phase:
    """Time judging the scores, as often as the algorithm passes over them, and writing the mask.

    Quickselect jumps; bisection and all other operations run on consecutive numbers.
    """
    width = score_bits(layer, injection, layer.exact_bits)
    count = op_count.selection(layer, injection, width)
    jumps = injection.selection.algorithm == "quickselect"
    jumping = op_count.ranking_comparisons(layer, injection, width) if jumps else 0
    moved = traffic.selection_traffic(layer, injection, width)
    return phase_of(
        preset, moved, batch, None,
        Elementwise(jumping, "add", width, streams=False),
        Elementwise(count.comparisons - jumping + count.additions, "add", width, streams=True),
        Elementwise(count.macs, "multiply_add", width, streams=True),
        kept=moved if _kept(layer, injection, preset, batch).scores else NO_BYTES,
    )  # fmt: skip


def exact_phase(layer: Layer, injection: Injection, preset: Preset, batch: int = 1) -> Phase:
    """Time the essential neurons and those that share a tile with one, and noise added to z."""
    work, fraction = _exact_product(layer, injection, preset, batch)
    run_bits = work.run_bits
    width = score_bits(layer, injection, layer.exact_bits)
    moved = traffic.exact_traffic(layer, injection, run_bits, width, fraction, batch)
    added = op_count.noise(layer, injection).additions
    kept = NO_BYTES
    if _kept(layer, injection, preset, batch).scores:
        kept = _kept_of_exact(layer, injection, moved, width)
    phase = phase_of(preset, moved, batch, work, _noise(layer, added), kept=kept)
    if fraction == 0 or injection.all_exact or op_count.computes_all(injection):
        return phase
    mask_bits = batch * op_count.mask(layer, injection).mask_bits
    if (operands := array_bytes(preset, work)) is not None:
        gathered = operands.weights + operands.inputs
    else:
        both = phase.moved + phase.kept
        gathered = both.weights + both.inputs - mask_bits / 8
    return replace(phase, gathered=gathered, mask_bits=mask_bits)


def _exact_product(
    layer: Layer, injection: Injection, preset: Preset, batch: int
) -> tuple[Work, float]:
    """The product of the exact phase, and the share of the outputs that it computes.

    Whole channels of each input are gathered for it alone, unless the whole layer takes less.
    """
    run_bits = supported_bits(preset, layer.exact_bits)
    product = dense_product(layer, batch)
    fraction, waits = _share_that_runs(product, injection, preset)
    work = Work(product, run_bits, fraction, waiting=waits)
    if not injection.selection.takes_channels or fraction == 1:
        return work, fraction
    n = ceil(fraction * product.n)
    alone = Work(replace(dense_product(layer), n=n), run_bits, times=batch)
    whole = Work(product, run_bits)
    is_less = product_seconds(preset, alone) <= product_seconds(preset, whole)
    return (alone, fraction) if is_less else (whole, 1.0)


def _share_that_runs(product: Product, injection: Injection, preset: Preset) -> tuple[float, float]:
    """Share of the neurons that are computed, and times as long as that takes by waiting."""
    groups = side_by_side(preset, product)
    neurons = groups * product.n
    if (elements := preset.elements) is None:
        return effective_fraction(injection, preset.tile_outputs.value, neurons, groups), 1.0
    if op_count.computes_all(injection):
        return 1.0, 1.0
    tile, in_step = elements.neurons.value, elements.in_step.value
    return injection.measured_fraction, waiting(injection, tile, in_step, neurons, groups)


def _kept_of_exact(layer: Layer, injection: Injection, moved: Traffic, score_bits: int) -> Traffic:
    """The mask, the inputs where the projection has read them, and exact scores."""
    inputs = moved.inputs
    if not op_count.needs_approximation(injection):
        inputs = min(inputs, op_count.mask(layer, injection).mask_bits / 8)
    return Traffic(
        inputs=inputs, outputs=traffic.judged_bytes(layer, injection, "exact", score_bits)
    )


def _noise(layer: Layer, count: float) -> Elementwise:
    if layer.exact_bits > _WIDEST_INTEGER:
        return Elementwise(count, "float_add", layer.exact_bits, streams=False)
    return Elementwise(count, "add", exact_sum_bits(layer, layer.exact_bits), streams=False)


def injected_phases(
    layer: Layer, preset: Preset, batch: int = 1
) -> tuple[Phase, Phase, Phase, Phase] | None:
    """Projection, approximation, selection and exact phase, or None if the layer cannot run.

    A layer without injection has the last alone, with what another defence adds.
    """
    injection = layer.injection
    try:
        if injection is None:
            return NOTHING, NOTHING, NOTHING, own_phase(layer, preset, batch)
        return (
            projection_phase(layer, injection, preset, batch),
            approximation_phase(layer, injection, preset, batch),
            selection_phase(layer, injection, preset, batch),
            exact_phase(layer, injection, preset, batch),
        )
    except UnsupportedPrecisionError:
        return None


def named_phases(layer: Layer, preset: Preset, batch: int) -> Iterator[tuple[str, Phase]]:
    """The dense layer at its own bits, then the phases of its defence that have work to do."""
    try:
        yield "dense", dense_phase(layer, preset, layer.exact_bits, batch)
    except UnsupportedPrecisionError:
        return
    if layer.injection is not None or layer.defence is not None:
        phases = injected_phases(layer, preset, batch) or ()
        yield from ((n, p) for n, p in zip(PHASES, phases, strict=False) if p.bound)
