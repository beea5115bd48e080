"""How long a platform computes: products on its multipliers, and operations outside them.

Source: NENNI cost protocol; constants from the preset. That outputs are finished in whole tiles,
each at a cost of its own, is chosen here, after layers with few inputs or neurons that were
measured (docs/cost.md).
"""

from dataclasses import replace
from math import ceil

from hwmodel.preset import Preset
from hwmodel.product import Product
from hwmodel.systolic import cycles


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


def product_seconds(
    preset: Preset, product: Product, run_bits: int, fraction: float = 1.0
) -> float:
    """Time of matrix products at a supported width, of which a fraction of the tiles is done.

    On a systolic array its cycles; each fold of neurons gathers the positions that it needs.
    Elsewhere the neurons of a position fill tiles, of which the last may have lanes to spare, and
    every output of a tile takes d multiply-accumulates and a time to be finished.
    """
    peak = preset.peak_macs_per_s[run_bits]
    if preset.array is not None:
        rows, columns = preset.array.rows.value, preset.array.columns.value
        needed = replace(product, M=ceil(fraction * product.M))
        return cycles(needed, rows, columns, preset.array.dataflow.value) * rows * columns / peak
    tile = preset.tile_outputs.value
    outputs = fraction * product.M * ceil(product.n * product.count / tile) * tile
    each = product.d / (peak * preset.utilisation_dense.value)
    return outputs * (each + preset.finishing_s.get(run_bits, 0.0))


def regular_seconds(preset: Preset, operations: float) -> float:
    """Time of elementwise operations on consecutive numbers, such as roundings."""
    return operations / (preset.peak_elementwise_per_s * preset.utilisation_dense.value)


def irregular_seconds(preset: Preset, operations: float) -> float:
    """Time of scattered additions and comparisons."""
    return operations / (preset.peak_elementwise_per_s * preset.utilisation_irregular.value)
