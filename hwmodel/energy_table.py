"""Energy tables: pJ of operations and of bytes, each tagged with where it comes from.

A table is a file ``energy_tables/NAME.toml``; adding one needs no code.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from hwmodel.errors import UserError
from hwmodel.loops import Operand
from hwmodel.preset_files import ENERGY_FOLDER, energy_table_names
from hwmodel.sourced import Constant, Count, Text, read_table
from hwmodel.validation import StrictModel

__all__ = ["EnergyTable", "EnergyTableError", "energy_table_names", "load_energy_table"]


class EnergyTableError(UserError):
    """An energy table that cannot be used; the message names the file and the key."""


class Level(StrictModel):
    """A memory on the chip, or all registers of one kind.

    Attributes
    ----------
    holds
        Which operands of a product pass it.
    capacity_bytes
        Of all of it; null (default): large enough. Operands share it evenly.
    at_multipliers
        Whether each multiplier has a part of its own.
    word_bytes
        Of an access in tables of accesses (`hwmodel.accelergy`); null (default) for none.
    read_pj_per_byte, write_pj_per_byte
        Of an access.
    """

    holds: Annotated[tuple[Operand, ...], Field(min_length=1)]
    capacity_bytes: Constant | None = None
    at_multipliers: bool = False
    word_bytes: Constant | None = None
    read_pj_per_byte: Constant
    write_pj_per_byte: Constant

    @field_validator("holds", mode="before")
    @classmethod
    def _listed(cls, holds: object) -> object:
        return tuple(holds) if isinstance(holds, list) else holds


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
    memory_write_pj_per_byte
        Of writing to it; null (default): as reading.
    levels
        Memories on the chip by name, from the multipliers outwards, in place of one buffer; null
        (default) for `buffer_pj_per_byte` alone. See `hwmodel.level_accesses`.
    sum_bytes
        Of a partial sum in them; null (default): 4.
    integer_mac_8_pj
        Of a multiply-accumulate of 8 bits as one; null (default): of a multiplication and an
        addition of 32 bits.
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
    memory_write_pj_per_byte: Constant | None = None
    levels: Annotated[dict[str, Level], Field(min_length=1)] | None = None
    sum_bytes: Count | None = None
    integer_mac_8_pj: Constant | None = None
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
