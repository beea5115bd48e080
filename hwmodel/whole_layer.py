"""Phases of products and other operations, and that of a whole layer without an injection.

The roofline of `hwmodel.roofline`: t = max(operations / rate, bytes / bandwidth) + overhead.
"""

from dataclasses import replace
from math import ceil

from hwmodel import traffic
from hwmodel.crossing import crossings
from hwmodel.layer_spec import Layer
from hwmodel.phase import Elementwise, Phase, cheaper
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
_HALF, _INDEX_BITS = 0.5, 2
"""Share of the weights that 2:4 keeps, and bits of where each is among its four."""


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
        again = crossings(preset, tiled, moved.of_batch(batch), kept.of_batch(batch))
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


def two_of_four_phase(
    layer: Layer, preset: Preset, bits: int, batch: int, *others: Elementwise, more: float = 0.0
) -> Phase:
    """Time the whole layer, two of every four weights zero, on multipliers that skip them.

    Mishra et al., Accelerating Sparse Deep Neural Networks, arXiv 2104.08378, section 2: a non-zero
    weight is stored with 2 bits of where it is among its four, and the multipliers run twice as
    fast. Picking the inputs takes energy. As if dense where that is faster.

    Parameters
    ----------
    layer, preset, bits, batch, *others
        As in `thinned_phase`.
    more
        Bytes that are read beside the weights, over theirs.
    """
    dense = thinned_phase(layer, preset, bits, batch, *others, weights=1 + more)
    stored = _HALF * (1 + _INDEX_BITS / supported_bits(preset, bits))
    sparse = thinned_phase(layer, preset, bits, batch, *others, depth=_HALF, weights=stored + more)
    return min(dense, replace(sparse, gathered=sparse.moved.inputs), key=cheaper)
