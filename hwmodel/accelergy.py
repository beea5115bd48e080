"""Energies of a technology from Accelergy's energy reference table (ERT).

A component of the table stands for the level of an energy table that has its name, or for the
memory where it is named DRAM. Accelergy's energies are of an access; `word_bytes` of the level says
how wide one is. The component of the multipliers, ``mac``, gives the multiply-accumulate of 8 bits.

Source: the format of version 0.4, Wu, Emer, Sze, Accelergy, ICCAD 2019, and the files that
Timeloop's examples come with.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hwmodel.energy_table import EnergyTable
from hwmodel.errors import UserError
from hwmodel.sourced import from_data_sheet
from hwmodel.validation import describe
from hwmodel.yaml_file import read_yaml

_MEMORY, _MULTIPLIER = "DRAM", "mac"


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Action(_Lenient):
    name: str
    energy: Annotated[float, Field(ge=0, le=10**12)]


class _Component(_Lenient):
    name: str
    actions: list[_Action]

    @property
    def short_name(self) -> str:
        """Without what it is part of and how many there are: ``top.glb[1..4]`` is ``glb``."""
        return self.name.partition("[")[0].rpartition(".")[2]

    def pj(self, action: str) -> float | None:
        """Energy of an action; None if it has none."""
        return next((found.energy for found in self.actions if found.name == action), None)


class _Table(_Lenient):
    tables: Annotated[list[_Component], Field(min_length=1)]


class _File(_Lenient):
    ERT: _Table


def with_accelergy(table: EnergyTable, path: Path, memory_word_bytes: float) -> EnergyTable:
    """An energy table with the energies of an ERT for its levels, its memory and its multipliers.

    Parameters
    ----------
    table
        Whose levels have the names of the ERT's components, and `word_bytes`.
    path
        The ERT, as YAML.
    memory_word_bytes
        Of an access to the memory.

    Raises
    ------
    UserError
        If the file is no ERT, or lacks a level.
    """
    try:
        found = _File.model_validate(read_yaml(path)).ERT.tables
    except ValidationError as error:
        raise UserError(f"{path}: {describe(error)}") from None
    components = {component.short_name: component for component in found}
    source = f"{path.name}, Accelergy's energy reference table"
    changed: dict[str, Any] = table.model_dump()
    for name, level in (table.levels or {}).items():
        if level.word_bytes is None:
            raise UserError(f"energy table: levels.{name}.word_bytes: is missing")
        read, write = _access(path, components, name)
        changed["levels"][name] |= {
            "read_pj_per_byte": from_data_sheet(read / level.word_bytes.value, source),
            "write_pj_per_byte": from_data_sheet(write / level.word_bytes.value, source),
        }
    read, write = _access(path, components, _MEMORY)
    changed["memory_pj_per_byte"] = from_data_sheet(read / memory_word_bytes, source)
    changed["memory_write_pj_per_byte"] = from_data_sheet(write / memory_word_bytes, source)
    if _MULTIPLIER in components and (pj := components[_MULTIPLIER].pj("compute")) is not None:
        changed["integer_mac_8_pj"] = from_data_sheet(pj, source)
    return EnergyTable.model_validate(changed)


def _access(path: Path, components: dict[str, _Component], name: str) -> tuple[float, float]:
    if name not in components:
        known = ", ".join(sorted(components))
        raise UserError(f"{path}: has no component {name}; there are: {known}")
    read, write = components[name].pj("read"), components[name].pj("write")
    if read is None or write is None:
        lacks = "read" if read is None else "write"
        raise UserError(f"{path}: {name}: has no action {lacks}")
    return read, write
