"""Area of what a platform multiplies with, in the technology of an energy table.

As if built for one way of running the network alone: its multipliers and accumulators at the width
that it needs, as many as the platform has of it, the lanes outside them, the buffer, and what picks
operands. Control, wires and the memory's interface are left out, on all sides.
"""

from hwmodel.energy_table import EnergyTable
from hwmodel.preset import Preset


def multiplier_um2(table: EnergyTable, bits: int) -> float | None:
    """A multiplier and the adder of its sums; None where the table has no areas.

    Integer multipliers in proportion to the square of their bits, as their energy
    (`hwmodel.energy_estimate.mac_pj`).
    """
    if bits <= 8:
        multiply, add = table.integer_multiply_8_um2, table.integer_add_32_um2
    elif bits <= 16:
        multiply, add = table.float_multiply_16_um2, table.float_add_16_um2
    else:
        multiply, add = table.float_multiply_32_um2, table.float_add_32_um2
    if multiply is None or add is None:
        return None
    return multiply.value * min(1.0, bits**2 / 8**2) + add.value


def area_um2(
    preset: Preset, table: EnergyTable, bits: int, *, picks_among: int = 1
) -> float | None:
    """Multipliers at a width, lanes, buffer and multiplexers; None where an area is not known.

    Parameters
    ----------
    preset, table
        The platform and the technology.
    bits
        Of the multipliers, or the next width above that the platform has.
    picks_among
        Operands of which each multiplier's is one: a multiplexer of so many inputs, of `bits` bits,
        made of ones of two. One serves all neurons of a tile, which multiply the same input, or a
        multiplier alone where single neurons are skipped.
    """
    run_bits = preset.run_bits(bits)
    lane, byte, mux = table.integer_add_32_um2, table.buffer_um2_per_byte, table.multiplexer_um2
    each = None if run_bits is None else multiplier_um2(table, run_bits)
    if run_bits is None or each is None or lane is None or byte is None or mux is None:
        return None
    if preset.buffer_bytes is None:
        return None
    multipliers = preset.mac_per_cycle[str(run_bits)].value  # type: ignore[index]
    served = 1 if preset.elements is not None else preset.tile_outputs.value
    each += run_bits * (picks_among - 1) * mux.value / served
    lanes = preset.elementwise_per_cycle.value * lane.value
    return multipliers * each + lanes + preset.buffer_bytes.value * byte.value
