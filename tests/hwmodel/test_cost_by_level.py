"""Costs by level: this model's add up, and those of ZigZag and Timeloop are read back."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import hwmodel
from hwmodel.cost_by_level import LevelCost, level_costs, timeloop_costs, zigzag_costs
from hwmodel.energy_estimate import phase_energy
from hwmodel.errors import UserError
from hwmodel.export_zigzag import zigzag_yaml
from hwmodel.network_spec import Network
from hwmodel.roofline import named_phases
from hwmodel.workload import workloads

DATA = Path(__file__).parent / "data"
PYTHON = os.environ.get("ZIGZAG_PYTHON", "")
TPU = str(DATA / "zigzag_tpu_like.preset.toml"), str(DATA / "zigzag_tpu_like.energy.toml")

DUMPED = {
    "outputs": {
        "energy": {
            "operational_energy": 2.0,
            "memory_energy_breakdown_per_level": {"O": [1.0, 3.0, 5.0], "W": [7.0], "I": [9.0, 11.0]},
        },
        "latency": {"data_onloading": 10.0, "computation": 20.0, "data_offloading": 5.0},
    },
    "inputs": {
        "accelerator": {
            "mem_hierarchy_dict": {
                "O": ["MemoryLevel(instance=rf,operands=[O], served_dimensions=set())",
                      "MemoryLevel(instance=sram_1,operands=[I1, O], served_dimensions={D1})",
                      "MemoryLevel(instance=dram,operands=[I1, I2, O], served_dimensions={D1})"],
                "I2": ["MemoryLevel(instance=dram,operands=[I1, I2, O], served_dimensions={D1})"],
                "I1": ["MemoryLevel(instance=sram_1,operands=[I1, O], served_dimensions={D1})",
                       "MemoryLevel(instance=dram,operands=[I1, I2, O], served_dimensions={D1})"],
            }
        }
    },
}  # fmt: skip
STATS = """\
Buffer and Arithmetic Levels
----------------------------
Level 0
-------
=== mac ===

    STATS
    -----
    Computes (total)        : 100
    Energy (total)          : 21.50 pJ

Level 1
-------
=== pe_spad ===

    SPECS
    -----
        Vector access energy            : 0.25 pJ
        Leakage energy (total)          : 1452.29 pJ

    STATS
    -----
    Outputs:
        Energy (per-instance)                    : 1.00 pJ
        Energy (total)                           : 10.00 pJ
        Temporal Reduction Energy (total)        : 0.50 pJ
        Address Generation Energy (total)        : 0.25 pJ
    Weights:
        Energy (total)                           : 2.00e+01 pJ

Level 2
-------
=== DRAM ===

    STATS
    -----
    Inputs:
        Energy (total)                           : 500.00 pJ

Networks
--------
=== inter_DRAM ===
        Energy (total)                           : 99999.00 pJ

Summary Stats
-------------
GFLOPs (@1GHz): 1.0
Cycles: 1234
Energy: 0.00 uJ
"""


@pytest.fixture
def network(make_network: Any, layer_dict: Any) -> Network:
    found: Network = make_network(layer_dict({"selection": "topk"}, name="a", exact_bits=8))
    return found


@pytest.mark.parametrize(
    ("preset", "table"), [("edge_npu", "horowitz_45nm"), ("systolic_32x32", "horowitz_45nm"), TPU]
)
def test_levels_add_up_to_the_energy_of_a_phase(network: Network, preset: str, table: str) -> None:
    platform, energies = hwmodel.load_preset(preset), hwmodel.load_energy_table(table)
    rows = level_costs(network, "here", platform, energies, batch=2)
    for name, phase in named_phases(network.layers[0], platform, 2):
        of_phase = [row for row in rows if row.phase == name]
        total = phase_energy(phase, platform, energies).total_pj
        assert sum(row.pj for row in of_phase) == pytest.approx(total)
        cycles = phase.seconds * platform.clock_hz.value
        assert {row.cycles for row in of_phase} == {cycles}
        assert [row.level for row in of_phase][:: len(of_phase) - 1] == ["multipliers", "memory"]
    assert {(row.layer, row.source) for row in rows} == {("a", "here")}


def test_zigzag_is_read_back(network: Network, tmp_path: Path) -> None:
    found = workloads(network, hwmodel.load_preset("edge_npu"))
    (tmp_path / "a.exact_complete.json").write_text(json.dumps(DUMPED))
    assert zigzag_costs(found, tmp_path) == [
        LevelCost("a", "exact", "zigzag", 35.0, "multipliers", 2.0),
        LevelCost("a", "exact", "zigzag", 35.0, "rf", 1.0),
        LevelCost("a", "exact", "zigzag", 35.0, "sram_1", 12.0),
        LevelCost("a", "exact", "zigzag", 35.0, "memory", 23.0),
    ]


def test_timeloop_is_read_back(network: Network, tmp_path: Path) -> None:
    """Without leakage, and without networks on the chip."""
    found = workloads(network, hwmodel.load_preset("edge_npu"))
    (tmp_path / "a.dense.stats.txt").write_text(STATS)
    assert timeloop_costs(found, tmp_path) == [
        LevelCost("a", "dense", "timeloop", 1234, "multipliers", 21.5),
        LevelCost("a", "dense", "timeloop", 1234, "pe_spad", 30.75),
        LevelCost("a", "dense", "timeloop", 1234, "memory", 500),
    ]


@pytest.mark.parametrize("text", ["", "{}", "[1]", "{", '{"outputs": 1}', "[" * 100000])
def test_other_files_are_refused(network: Network, tmp_path: Path, text: str) -> None:
    found = workloads(network, hwmodel.load_preset("edge_npu"))
    (tmp_path / "a.dense_complete.json").write_text(text)
    (tmp_path / "a.dense.stats.txt").write_text(text)
    with pytest.raises(UserError, match=r"dense_complete\.json: is not a file of zigzag"):
        zigzag_costs(found, tmp_path)
    with pytest.raises(UserError, match=r"dense\.stats\.txt: is not a file of timeloop"):
        timeloop_costs(found, tmp_path)


def test_empty_folders_are_refused(network: Network, tmp_path: Path) -> None:
    found = workloads(network, hwmodel.load_preset("edge_npu"))
    with pytest.raises(UserError, match=r"has no file of a phase, such as a\.dense_complete\.json"):
        zigzag_costs(found, tmp_path)


@pytest.mark.slow
def test_levels_of_zigzag_beside_this_models(
    make_network: Any, layer_dict: Any, tmp_path: Path
) -> None:
    """The same names, and each level that matters within a tenth of the whole energy."""
    if not PYTHON:
        pytest.skip("ZIGZAG_PYTHON names no interpreter with zigzag-dse 3.9.1")
    sizes = {"in_channels": 64, "out_channels": 64, "in_size": [32, 32], "stride": [1, 1]}
    network = make_network(layer_dict(None, name="a", exact_bits=8, **sizes))
    platform, energies = hwmodel.load_preset(TPU[0]), hwmodel.load_energy_table(TPU[1])
    found = workloads(network, platform)
    (tmp_path / "workload.yaml").write_text(zigzag_yaml(found))
    dump = tmp_path / "dump"
    command = [PYTHON, str(DATA / "zigzag_run.py"), str(tmp_path / "workload.yaml"), str(dump)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    theirs = {row.level: row.pj for row in zigzag_costs(found, dump)}
    ours = {row.level: row.pj for row in level_costs(network, "here", platform, energies)}
    assert set(theirs) == set(ours)
    for level, pj in theirs.items():
        assert ours[level] == pytest.approx(pj, abs=0.1 * sum(theirs.values())), level
