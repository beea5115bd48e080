"""How long a platform computes: products on its multipliers, and operations outside them.

Source: NENNI cost protocol; constants from the preset. That outputs are finished in whole tiles,
each at a cost of its own, is chosen here, after layers with few inputs or neurons that were
measured (docs/cost.md).
"""

from dataclasses import dataclass, replace
from math import ceil

from hwmodel.preset import Preset
from hwmodel.product import Product
from hwmodel.systolic import cycles, reads
from hwmodel.traffic import Traffic

_SUM_BYTES = 4
"""Of a sum that leaves a systolic array, partial or not."""


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
    """

    product: Product
    run_bits: int
    share: float = 1.0
    times: int = 1
    waiting: float = 1.0

    @property
    def macs(self) -> float:
        """Multiply-accumulates that run, without the spare lanes of tiles."""
        return self.times * self.share * self.product.macs

    @property
    def gathered(self) -> Product:
        """The products over the positions that run, whole ones."""
        return replace(self.product, M=ceil(self.share * self.product.M))


def product_seconds(preset: Preset, work: Work) -> float:
    """Time of matrix products at a supported width.

    On a systolic array its cycles. Elsewhere the neurons of a position fill tiles, those of each
    group their own unless the platform mixes groups. The last tile may have lanes to spare, and
    every output of a tile takes d multiply-accumulates and a time to be finished.
    """
    peak = preset.macs_per_s(work.run_bits)
    if (array := preset.array) is not None:
        rows, columns = array.rows.value, array.columns.value
        each = cycles(work.gathered, rows, columns, array.dataflow.value)
        return work.times * each * rows * columns / peak
    tile, product = preset.tile_outputs.value, work.product
    apart, together = product.count, 1
    if preset.mixes_groups is not None and preset.mixes_groups.value:
        apart, together = together, apart
    outputs = work.share * product.M * apart * ceil(product.n * together / tile) * tile
    each_s = product.d / (peak * preset.utilisation_dense.value)
    each_s += preset.finishing_s(work.run_bits)
    return work.times * work.waiting * outputs * each_s


def array_bytes(preset: Preset, work: Work) -> Traffic | None:
    """Bytes between a systolic array and its buffers; None elsewhere.

    Sums that leave the array are 4 bytes wide.
    """
    if (array := preset.array) is None:
        return None
    found = reads(work.gathered, array.rows.value, array.columns.value, array.dataflow.value)
    operand = work.times * work.run_bits / 8
    return Traffic(
        operand * found.weights, operand * found.inputs, work.times * _SUM_BYTES * found.outputs
    )


def regular_seconds(preset: Preset, operations: float) -> float:
    """Time of elementwise operations on consecutive numbers, such as roundings."""
    return operations / (preset.peak_elementwise_per_s * preset.utilisation_dense.value)


def irregular_seconds(preset: Preset, operations: float) -> float:
    """Time of scattered additions and comparisons."""
    return operations / (preset.peak_elementwise_per_s * preset.utilisation_irregular.value)
