"""What each phase of a layer costs at each level: here, and as ZigZag and Timeloop have it."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwmodel.energy_estimate import arithmetic_pj, phase_energy
from hwmodel.energy_table import EnergyTable
from hwmodel.errors import UserError
from hwmodel.level_accesses import level_accesses, level_pj
from hwmodel.network_spec import Network
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.roofline import named_phases
from hwmodel.workload import Workload

MULTIPLIERS, BUFFER, MEMORY = "multipliers", "buffer", "memory"
_LINKS = {"I": "I1", "W": "I2", "O": "O"}
"""Operands of ZigZag's layers -> those of its memories, in all mappings that it brings."""


@dataclass(frozen=True, slots=True)
class LevelCost:
    """Energy of one phase of a layer at one level, for one batch.

    Attributes
    ----------
    layer, phase
        As in `hwmodel.workload.Workload`.
    source
        The platform, ``zigzag`` or ``timeloop``.
    cycles
        Of the phase, the same at each of its levels.
    level
        ``multipliers`` (with all other operations), the name of a memory on the chip, or
        ``memory``.
    pj
        Its energy.
    """

    layer: str
    phase: str
    source: str
    cycles: float
    level: str
    pj: float


def level_costs(
    network: Network, name: str, preset: Preset, table: EnergyTable, batch: int = 1
) -> list[LevelCost]:
    """By this model; where the table has no levels, the buffer is the one on the chip.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    name, preset
        The platform.
    table
        The technology.
    batch
        Inputs at once.
    """
    return [
        LevelCost(layer.name, phase_name, name, phase.seconds * preset.clock_hz.value, level, pj)
        for layer in network.layers
        for phase_name, phase in named_phases(layer, preset, batch)
        for level, pj in _own(phase, preset, table)
    ]


def _own(phase: Phase, preset: Preset, table: EnergyTable) -> Iterator[tuple[str, float]]:
    energy = phase_energy(phase, preset, table)
    yield MULTIPLIERS, arithmetic_pj(phase, table)
    if table.levels is None:
        yield BUFFER, energy.buffer_pj
    else:
        accesses = level_accesses(phase, preset, table)
        for name in table.levels:
            yield name, level_pj([a for a in accesses if a.level == name], table.levels)
    yield MEMORY, energy.memory_pj


def zigzag_costs(workloads: Sequence[Workload], folder: Path) -> list[LevelCost]:
    """As ZigZag has it.

    Parameters
    ----------
    workloads
        Those that were exported.
    folder
        ZigZag's dump, with a file ``NAME_complete.json`` for each of them that it was run on.

    Raises
    ------
    UserError
        If there is none, or one is no such file.
    """
    return _read_back(workloads, folder, "zigzag", "{}_complete.json", _of_zigzag)


def timeloop_costs(workloads: Sequence[Workload], folder: Path) -> list[LevelCost]:
    """As Timeloop has it.

    Parameters
    ----------
    workloads
        Those that were exported.
    folder
        With a file ``NAME.stats.txt`` for each of them that it was run on: a copy of
        ``timeloop-mapper.stats.txt`` or ``timeloop-model.stats.txt``.

    Raises
    ------
    UserError
        If there is none, or one is no such file.
    """
    return _read_back(workloads, folder, "timeloop", "{}.stats.txt", _of_timeloop)


def _read_back(
    workloads: Sequence[Workload], folder: Path, source: str, file: str, parse: Any
) -> list[LevelCost]:
    found = []
    for workload in workloads:
        path = folder / file.format(workload.name)
        if not path.exists():
            continue
        try:
            cycles, levels = parse(path.read_text(encoding="utf-8"))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
            raise UserError(f"{path}: is not a file of {source} that can be read back") from None
        found += [
            LevelCost(workload.layer, workload.phase, source, cycles, level, pj)
            for level, pj in levels.items()
        ]
    if not found:
        raise UserError(
            f"{folder}: has no file of a phase, such as {file.format(_first(workloads))}"
        )
    return found


def _first(workloads: Sequence[Workload]) -> str:
    return workloads[0].name if workloads else "LAYER.dense"


def _of_zigzag(text: str) -> tuple[float, dict[str, float]]:
    data = json.loads(text)
    energy = data["outputs"]["energy"]
    chains = data["inputs"]["accelerator"]["mem_hierarchy_dict"]
    levels = {MULTIPLIERS: float(energy["operational_energy"])}
    memory_pj = 0.0
    for operand, parts in energy["memory_energy_breakdown_per_level"].items():
        chain = chains[_LINKS[operand]]
        if len(chain) != len(parts):
            raise ValueError("as many levels as energies")
        *on_chip, outer = parts
        memory_pj += outer
        for level, pj in zip(chain, on_chip, strict=False):
            name = re.search(r"instance=(\w+)", level).group(1)  # type: ignore[union-attr]
            levels[name] = levels.get(name, 0.0) + pj
    cycles = sum(map(float, data["outputs"]["latency"].values()))
    return cycles, levels | {MEMORY: memory_pj}


_SECTION = re.compile(r"^=== (.+) ===$", re.MULTILINE)
_ENERGY = re.compile(r"^\s*(?:\w+ \w+ )?Energy \(total\)\s*: ([\d.eE+-]+) pJ$", re.MULTILINE)
_CYCLES = re.compile(r"^Cycles: (\d+)$", re.MULTILINE)


def _of_timeloop(text: str) -> tuple[float, dict[str, float]]:
    """Energies of accesses, reductions and addresses of each section; leakage is left out."""
    body, _, summary = text.partition("Summary Stats")
    sections = _SECTION.split(body.partition("\nNetworks\n")[0])
    names, parts = sections[1::2], sections[2::2]
    energies = [sum(map(float, _ENERGY.findall(part))) for part in parts]
    cycles = float(_CYCLES.search(summary).group(1))  # type: ignore[union-attr]
    names[0], names[-1] = MULTIPLIERS, MEMORY
    return cycles, dict(zip(names, energies, strict=True))
