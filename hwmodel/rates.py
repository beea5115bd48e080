"""How long a platform computes: products on its multipliers, and operations outside them.

Source: NENNI cost protocol; constants from the preset. That outputs are finished in whole tiles,
each at a cost of its own, is chosen here, after layers with few inputs or neurons that were
measured (docs/cost.md).
"""

from dataclasses import dataclass, replace
from math import ceil, prod

from hwmodel.loops import Unrolled
from hwmodel.preset import Preset
from hwmodel.product import Product
from hwmodel.refetch import SUM_BYTES
from hwmodel.systolic import Reads, cycles, packed, reads, restarts
from hwmodel.traffic import Traffic


class UnsupportedPrecisionError(ValueError):
    """A precision wider than anything the platform multiplies."""


def supported_bits(preset: Preset, bits: int) -> int:
    """Narrowest width that the platform multiplies and that holds `bits`.

    Raises
    ------
    UnsupportedPrecisionError
        If there is none.
    """
    run_bits = preset.run_bits(bits)
    if run_bits is None:
        raise UnsupportedPrecisionError(f"no multiplier takes {bits} bits")
    return run_bits


@dataclass(frozen=True, slots=True)
class Work:
    """Matrix products of one phase as a platform runs them.

    Attributes
    ----------
    product
        What is multiplied.
    run_bits
        Width at which it is.
    share
        Of its tiles, that run; each fold of a systolic array gathers the positions that it needs.
    times
        How often it runs, as where every input of a batch has its own.
    waiting
        Times as long as it takes where some of its elements wait for others.
    chunks
        Of positions, that a systolic array runs one after the other: see `hwmodel.refetch`.
    """

    product: Product
    run_bits: int
    share: float = 1.0
    times: int = 1
    waiting: float = 1.0
    chunks: int = 1

    @property
    def macs(self) -> float:
        """Multiply-accumulates that run, without the spare lanes of tiles."""
        return self.times * self.share * self.product.macs

    @property
    def gathered(self) -> Product:
        """The products over the positions that run, whole ones."""
        return replace(self.product, M=ceil(self.share * self.product.M))


def side_by_side(preset: Preset, product: Product) -> int:
    """Groups of a convolution, or heads, whose neurons share tiles; 1 where each has its own."""
    if (array := preset.array) is not None:
        sides = array.rows.value, array.columns.value, array.dataflow.value
        return packed(product, *sides).n // product.n
    mixes = preset.mixes_groups is not None and preset.mixes_groups.value
    return product.count if mixes else 1


def product_seconds(preset: Preset, work: Work) -> float:
    """Time of matrix products at a supported width.

    On a systolic array its cycles, as many groups side by side as that is faster with, and where a
    box is computed in a cycle, one for each. Elsewhere the neurons of a position fill tiles, those
    of each group their own unless the platform mixes groups. The last tile may have lanes to spare,
    and every output of a tile takes d multiply-accumulates and a time to be finished.
    """
    peak = preset.macs_per_s(work.run_bits)
    if (array := preset.array) is not None:
        rows, columns = array.rows.value, array.columns.value
        side = rows, columns, array.dataflow.value
        product = packed(work.gathered, *side)
        each = cycles(product, *side) + restarts(product, *side, work.chunks)
        return work.times * each * rows * columns / peak
    if (box := preset.unrolled) is not None:
        sides = Unrolled(box.positions.value, box.neurons.value, box.channels.value)
        boxes = work.product.count * prod(sides.turns(work.gathered).values())
        return work.times * boxes * sides.positions * sides.neurons * sides.depth / peak
    tile, product = preset.tile_outputs.value, work.product
    together = side_by_side(preset, product)
    apart = product.count // together
    outputs = work.share * product.M * apart * ceil(product.n * together / tile) * tile
    each_s = product.d / (peak * preset.utilisation_dense.value)
    each_s += preset.finishing_s(work.run_bits)
    return work.times * work.waiting * outputs * each_s


def array_bytes(preset: Preset, work: Work) -> Traffic | None:
    """Bytes between a systolic array, or a box of multipliers, and its buffers; None elsewhere.

    Sums that leave them are 4 bytes wide. A box reads inputs for every turn of neurons, weights for
    every turn of positions, and keeps its sums.
    """
    product = work.gathered
    if (box := preset.unrolled) is not None:
        M, n, d = product.M, product.n, product.d
        sides = Unrolled(box.positions.value, box.neurons.value, box.channels.value)
        turns = sides.turns(product)
        found = Reads(
            inputs=product.count * M * d * turns["neurons"],
            weights=product.count * n * d * turns["positions"],
            outputs=product.count * M * n,
        )
    elif (array := preset.array) is not None:
        found = reads(product, array.rows.value, array.columns.value, array.dataflow.value)
    else:
        return None
    operand = work.times * work.run_bits / 8
    return Traffic(
        operand * found.weights, operand * found.inputs, work.times * SUM_BYTES * found.outputs
    )


def regular_seconds(preset: Preset, operations: float) -> float:
    """Time of elementwise operations on consecutive numbers, such as roundings."""
    return operations / (preset.peak_elementwise_per_s * preset.utilisation_dense.value)


def irregular_seconds(preset: Preset, operations: float) -> float:
    """Time of scattered additions and comparisons."""
    return operations / (preset.peak_elementwise_per_s * preset.utilisation_irregular.value)
