"""Energy tables: pJ of operations and of bytes, each tagged with where it comes from.

A table is a file ``energy_tables/NAME.toml``; adding one needs no code.
"""

from pathlib import Path

from hwmodel.errors import UserError
from hwmodel.preset_files import ENERGY_FOLDER, energy_table_names
from hwmodel.sourced import Constant, Text, read_table
from hwmodel.validation import StrictModel

__all__ = ["EnergyTable", "EnergyTableError", "energy_table_names", "load_energy_table"]


class EnergyTableError(UserError):
    """An energy table that cannot be used; the message names the file and the key."""


class EnergyTable(StrictModel):
    """What the energy model needs to know of a technology.

    Attributes
    ----------
    description
        Technology and source.
    integer_add_8_pj, integer_add_32_pj, integer_multiply_8_pj
        Of integers of so many bits.
    float_add_16_pj, float_add_32_pj, float_multiply_16_pj, float_multiply_32_pj
        Of floating-point numbers of so many bits.
    buffer_pj_per_byte
        Of the on-chip buffer, which all bytes pass on their way to the multipliers.
    memory_pj_per_byte
        Of the memory that weights and activations come from.
    gather_pj_per_byte
        Of picking operands by a mask on their way from the buffer to the multipliers; null
        (default): not priced.
    mask_pj_per_bit
        Of searching a mask for the neurons to compute; null (default): not priced.
    integer_multiply_8_um2, integer_add_32_um2
        Areas of the same; null (default) for these and the next: unknown.
    float_multiply_16_um2, float_add_16_um2, float_multiply_32_um2, float_add_32_um2
        Areas of the same.
    multiplexer_um2
        Of one that picks one of two bits.
    buffer_um2_per_byte
        Of the on-chip buffer.
    """

    description: Text
    integer_add_8_pj: Constant
    integer_add_32_pj: Constant
    integer_multiply_8_pj: Constant
    float_add_16_pj: Constant
    float_add_32_pj: Constant
    float_multiply_16_pj: Constant
    float_multiply_32_pj: Constant
    buffer_pj_per_byte: Constant
    memory_pj_per_byte: Constant
    gather_pj_per_byte: Constant | None = None
    mask_pj_per_bit: Constant | None = None
    integer_multiply_8_um2: Constant | None = None
    integer_add_32_um2: Constant | None = None
    float_multiply_16_um2: Constant | None = None
    float_add_16_um2: Constant | None = None
    float_multiply_32_um2: Constant | None = None
    float_add_32_um2: Constant | None = None
    multiplexer_um2: Constant | None = None
    buffer_um2_per_byte: Constant | None = None


def load_energy_table(name: str) -> EnergyTable:
    """Read an energy table that comes with the package, or one's own file.

    Parameters
    ----------
    name
        One of `energy_table_names`, or a path that ends in ``.toml``.

    Raises
    ------
    EnergyTableError
        If there is none of that name, with the names there are; with the file and the first faulty
        key, if it cannot be used.
    """
    if name.endswith(".toml"):
        return read_table(Path(name), EnergyTable, EnergyTableError)
    if name not in energy_table_names():
        known = ", ".join(energy_table_names())
        raise EnergyTableError(f"unknown energy table {name!r}; known: {known}")
    return read_table(ENERGY_FOLDER / f"{name}.toml", EnergyTable, EnergyTableError)
