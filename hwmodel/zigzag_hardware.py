"""The constants of an accelerator that is described for ZigZag, as a preset and an energy table.

Of the multipliers the sizes and the energy, of the spatial mapping which loops they unroll, of each
memory its size, who holds what in it, its widest port and the energy of an access of that width.
The last memory is the outer one, and its port the bandwidth. What ZigZag does not have (clock,
operations outside the multipliers, overhead) stays as in the preset and table that are given.

Source: the schemas that zigzag-dse 3.9.1 checks accelerators and mappings with
(zigzag.parser.accelerator_validator, mapping_validator).
"""

from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hwmodel.energy_table import EnergyTable
from hwmodel.errors import UserError
from hwmodel.loops import Operand
from hwmodel.preset import Preset
from hwmodel.sourced import from_data_sheet
from hwmodel.validation import describe
from hwmodel.yaml_file import read_yaml

_SIDES = {"K": "neurons", "C": "channels", "OX": "positions", "OY": "positions", "B": "positions"}
_AGAIN: dict[Operand, str] = {"inputs": "neurons", "weights": "positions", "sums": "channels"}
_LAYER_OPERANDS: dict[str, Operand] = {"I": "inputs", "W": "weights", "O": "sums"}
_Size = Annotated[int, Field(ge=1, le=10**15)]
Model = TypeVar("Model", bound=BaseModel)
_Cost = Annotated[float, Field(ge=0, le=10**12)]


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Port(_Lenient):
    type: Literal["read", "write", "read_write"]
    bandwidth_max: _Size


class _Memory(_Lenient):
    size: _Size
    r_cost: _Cost
    w_cost: _Cost
    operands: Annotated[list[str], Field(min_length=1)]
    ports: Annotated[list[_Port], Field(min_length=1)]
    served_dimensions: list[str]

    def width(self, *kinds: str) -> int:
        """Bits of the widest port of a kind."""
        return max((p.bandwidth_max for p in self.ports if p.type in kinds), default=8)

    @property
    def read_pj_per_byte(self) -> float:
        """Of an access of the widest port."""
        return 8 * self.r_cost / self.width("read", "read_write")

    @property
    def write_pj_per_byte(self) -> float:
        """Of an access of the widest port."""
        return 8 * self.w_cost / self.width("write", "read_write")


class _Array(_Lenient):
    unit_energy: _Cost
    dimensions: Annotated[list[str], Field(min_length=1)]
    sizes: Annotated[list[_Size], Field(min_length=1)]


class _Accelerator(_Lenient):
    name: str
    memories: Annotated[dict[str, _Memory], Field(min_length=2)]
    operational_array: _Array


class _Mapping(_Lenient):
    name: str
    spatial_mapping: dict[str, list[str | list[str | int]]]
    memory_operand_links: dict[str, str]


def read_zigzag(
    hardware: Path, mapping: Path, preset: Preset, table: EnergyTable
) -> tuple[Preset, EnergyTable]:
    """A platform and a technology with the constants of an accelerator of ZigZag.

    Parameters
    ----------
    hardware, mapping
        The accelerator, and the mapping whose entry ``default`` says what is unrolled, as YAML.
    preset, table
        For what these do not have.

    Raises
    ------
    UserError
        With the file and the first faulty key.
    """
    found = _checked(hardware, _Accelerator, read_yaml(hardware))
    entries = read_yaml(mapping)
    defaults = [
        entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and entry.get("name") == "default"
    ]
    if not defaults:
        raise UserError(f"{mapping}: should be a list with an entry named default")
    default = _checked(mapping, _Mapping, defaults[0])
    array = found.operational_array
    if len(array.dimensions) != len(array.sizes):
        raise UserError(f"{hardware}: operational_array.sizes: should be as many as dimensions")
    unrolled = _unrolled(mapping, default)
    holds = _held(mapping, default)
    source = f"{hardware.name}, an accelerator described for ZigZag"
    *inner, outer = found.memories.items()
    sides = dict.fromkeys(("neurons", "channels", "positions"), 1)
    for loop, size in unrolled.values():
        sides[_SIDES[loop]] *= size
    levels = {
        name: _level(hardware, name, memory, array, unrolled, holds, sides, source)
        for name, memory in inner
    }
    outer_name, memory = outer
    outermost = {
        of: name for name, level in levels.items() for of in level["holds"]
    }  # the last one wins
    on_chip = sum(levels[name]["capacity_bytes"]["value"] for name in set(outermost.values()))
    sums = next((m for _, m in inner if "sums" in _operands(hardware, "", m, holds)), memory)
    bandwidth = memory.width("read", "write", "read_write") / 8 * preset.clock_hz.value
    side_of = {side: from_data_sheet(size, source) for side, size in sides.items()}
    changed_preset = preset.model_dump() | {
        "description": f"{found.name}, {source}",
        "mac_per_cycle": {"8": from_data_sheet(float(prod(array.sizes)), source)},
        "outputs_per_cycle": {},
        "array": None,
        "elements": None,
        "unrolled": side_of,
        "bandwidth_bytes_per_s": from_data_sheet(bandwidth, f"{source}: {outer_name}"),
        "buffer_bytes": from_data_sheet(
            float(on_chip), f"{source}: all outermost memories on the chip"
        ),
        "tile_outputs": from_data_sheet(sides["neurons"], source),
    }
    changed_table = table.model_dump() | {
        "description": f"{found.name}, {source}",
        "integer_mac_8_pj": from_data_sheet(array.unit_energy, source),
        "buffer_pj_per_byte": levels[inner[-1][0]]["read_pj_per_byte"],
        "memory_pj_per_byte": from_data_sheet(memory.read_pj_per_byte, source),
        "memory_write_pj_per_byte": from_data_sheet(memory.write_pj_per_byte, source),
        "levels": levels,
        "sum_bytes": from_data_sheet(max(1, sums.width("write", "read_write") // 8), source),
    }
    return Preset.model_validate(changed_preset), EnergyTable.model_validate(changed_table)


def _checked(path: Path, kind: type[Model], data: object) -> Model:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{path}: {describe(error)}") from None


def _unrolled(path: Path, mapping: _Mapping) -> dict[str, tuple[str, int]]:
    """Side of the array -> the loop that it unrolls, and how far."""
    found = {}
    for side, loops in mapping.spatial_mapping.items():
        if len(loops) != 1:
            raise UserError(f"{path}: {side}: should unroll one loop, got {len(loops)}")
        (given,) = loops
        loop, _, size = given.partition(",") if isinstance(given, str) else (given[0], "", given[1])
        if loop not in _SIDES or not str(size).strip().isdecimal():
            known = ", ".join(_SIDES)
            raise UserError(f"{path}: {side}: should be one of {known} and a size, got {given!r}")
        found[side] = (str(loop), int(size))
    return found


def _held(path: Path, mapping: _Mapping) -> dict[str, Operand]:
    links = mapping.memory_operand_links
    if not set(_LAYER_OPERANDS) <= set(links):
        raise UserError(f"{path}: memory_operand_links: should have I, W and O")
    return {links[layer]: operand for layer, operand in _LAYER_OPERANDS.items()}


def _operands(
    path: Path, name: str, memory: _Memory, holds: dict[str, Operand]
) -> tuple[Operand, ...]:
    if unknown := [operand for operand in memory.operands if operand not in holds]:
        raise UserError(f"{path}: memories.{name}.operands: the mapping links no {unknown[0]}")
    return tuple(holds[operand] for operand in memory.operands)


def _level(
    path: Path,
    name: str,
    memory: _Memory,
    array: _Array,
    unrolled: dict[str, tuple[str, int]],
    holds: dict[str, Operand],
    sides: dict[str, int],
    source: str,
) -> dict[str, Any]:
    """A memory as a level: at the multipliers if none of those that share a number shares it."""
    sizes = dict(zip(array.dimensions, array.sizes, strict=True))
    if unknown := [side for side in memory.served_dimensions if side not in sizes]:
        raise UserError(f"{path}: memories.{name}.served_dimensions: there is no {unknown[0]}")
    copies = prod(size for side, size in sizes.items() if side not in memory.served_dimensions)
    operands = _operands(path, name, memory, holds)
    served = {_SIDES[unrolled[d][0]] for d in memory.served_dimensions if d in unrolled}
    apart = all(_AGAIN[of] not in served and sides[_AGAIN[of]] > 1 for of in operands)
    return {
        "holds": operands,
        "capacity_bytes": from_data_sheet(memory.size / 8 * copies, source),
        "at_multipliers": apart,
        "read_pj_per_byte": from_data_sheet(memory.read_pj_per_byte, source),
        "write_pj_per_byte": from_data_sheet(memory.write_pj_per_byte, source),
    }
