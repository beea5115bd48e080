"""Phases of products and other operations, and that of a whole layer without an injection.

The roofline of `hwmodel.roofline`: t = max(operations / rate, bytes / bandwidth) + overhead.
"""

from dataclasses import replace
from math import ceil

from hwmodel import traffic
from hwmodel.crossing import crossings
from hwmodel.layer_spec import Layer
from hwmodel.phase import Elementwise, Phase
from hwmodel.preset import Preset
from hwmodel.product import dense_product
from hwmodel.rates import (
    Work,
    irregular_seconds,
    product_seconds,
    regular_seconds,
    supported_bits,
)
from hwmodel.traffic import Traffic

NO_BYTES = Traffic()


def phase_of(
    preset: Preset,
    moved: Traffic,
    batch: int,
    work: Work | None,
    *others: Elementwise,
    kept: Traffic = NO_BYTES,
    skipped: Work | None = None,
) -> Phase:
    """A phase of matrix products and other operations.

    `moved` are the bytes of one input that it takes and gives, of which those `kept` stay on the
    chip. What the buffer does not hold crosses more than once, also for the products that are
    `skipped`, whose non-zeros are done outside the multipliers.
    """
    crossing, spilled = (moved - kept).of_batch(batch), 0.0
    if (tiled := work or skipped) is not None and tiled.product.macs:
        again = crossings(preset, tiled, moved.of_batch(batch))
        crossing, spilled = again.applied(crossing), again.spilled
        work = work and replace(work, chunks=again.passes.chunks)
    product_s = 0.0 if work is None else product_seconds(preset, work)
    other_s = sum(elementwise_seconds(preset, other, batch) for other in others)
    memory_s = crossing.total / preset.bandwidth_bytes_per_s.value
    return Phase(
        product_s, other_s, memory_s, preset.overhead_s.value, crossing, kept.of_batch(batch), work,
        others, batch, spilled=spilled,
    )  # fmt: skip


def elementwise_seconds(preset: Preset, other: Elementwise, batch: int) -> float:
    """Time of other operations, by whether they run on consecutive numbers."""
    seconds = regular_seconds if other.streams else irregular_seconds
    return seconds(preset, batch * other.count)


def dense_phase(layer: Layer, preset: Preset, bits: int, batch: int = 1) -> Phase:
    """Time the whole layer, computed exactly, at `bits` or the next supported width above."""
    return thinned_phase(layer, preset, bits, batch)


def thinned_phase(
    layer: Layer,
    preset: Preset,
    bits: int,
    batch: int,
    *others: Elementwise,
    depth: float = 1.0,
    weights: float = 1.0,
    inputs: float = 1.0,
) -> Phase:
    """Time the whole layer with a share of the products of each neuron, and of the bytes.

    Parameters
    ----------
    layer, preset, bits, batch
        As in `dense_phase`.
    *others
        What is done outside the multipliers in place of the products.
    depth
        Share of the d products that the multipliers do, rounded up; 0 for none.
    weights, inputs
        Share of the bytes that carry them.
    """
    run_bits = supported_bits(preset, bits)
    whole = Work(dense_product(layer, batch), run_bits)
    product = whole.product
    work = replace(whole, product=replace(product, d=ceil(depth * product.d))) if depth else None
    dense = traffic.dense_traffic(layer, run_bits)
    moved = Traffic(weights * dense.weights, inputs * dense.inputs, dense.outputs)
    return phase_of(preset, moved, batch, work, *others, skipped=whole)
