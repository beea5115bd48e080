"""Accelerators as ZigZag describes them: a made-up one, and what is refused."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

import hwmodel
from hwmodel.errors import UserError
from hwmodel.zigzag_hardware import read_zigzag


def port(kind: str, bits: int) -> dict[str, Any]:
    return {"name": "r_port_1", "type": kind, "bandwidth_min": 8, "bandwidth_max": bits}


HARDWARE: dict[str, Any] = {
    "name": "small",
    "memories": {
        "weights": {
            "size": 8, "r_cost": 0.5, "w_cost": 1.0, "operands": ["I2"], "served_dimensions": ["D1"],
            "ports": [port("read", 8), port("write", 8)],
        },
        "sums": {
            "size": 64, "r_cost": 1.0, "w_cost": 1.0, "operands": ["O"], "served_dimensions": [],
            "ports": [port("read", 32), port("write", 24)],
        },
        "shared": {
            "size": 8000, "r_cost": 16.0, "w_cost": 24.0, "operands": ["I1", "I2", "O"],
            "served_dimensions": ["D1", "D2", "D3"], "ports": [port("read_write", 64)],
        },
        "outside": {
            "size": 10**9, "r_cost": 640.0, "w_cost": 800.0, "operands": ["I1", "I2", "O"],
            "served_dimensions": ["D1", "D2", "D3"], "ports": [port("read_write", 32)],
        },
    },
    "operational_array": {"unit_energy": 0.25, "dimensions": ["D1", "D2", "D3"], "sizes": [4, 8, 2]},
}  # fmt: skip
MAPPING: list[dict[str, Any]] = [
    {"name": "Add", "spatial_mapping": {}, "memory_operand_links": {}},
    {
        "name": "default",
        "spatial_mapping": {"D1": ["OX, 4"], "D2": ["K, 8"], "D3": [["C", 2]]},
        "memory_operand_links": {"I": "I1", "W": "I2", "O": "O"},
    },
]


def read(
    folder: Path, hardware: Any = HARDWARE, mapping: Any = MAPPING
) -> tuple[hwmodel.Preset, hwmodel.EnergyTable]:
    (folder / "hw.yaml").write_text(yaml.safe_dump(hardware, sort_keys=False))
    (folder / "map.yaml").write_text(yaml.safe_dump(mapping))
    return read_zigzag(
        folder / "hw.yaml", folder / "map.yaml", hwmodel.load_preset("systolic_32x32"),
        hwmodel.load_energy_table("horowitz_45nm"),
    )  # fmt: skip


def test_constants(tmp_path: Path) -> None:
    preset, table = read(tmp_path)
    assert preset.array is None
    assert preset.mac_per_cycle["8"].value == 4 * 8 * 2
    box = preset.unrolled
    assert (box.neurons.value, box.channels.value, box.positions.value) == (8, 2, 4)
    assert preset.tile_outputs.value == 8
    assert preset.bandwidth_bytes_per_s.value == 4 * preset.clock_hz.value
    assert preset.buffer_bytes.value == 1000
    assert table.integer_mac_8_pj.value == 0.25
    assert (table.memory_pj_per_byte.value, table.memory_write_pj_per_byte.value) == (160, 200)
    assert table.buffer_pj_per_byte == table.levels["shared"].read_pj_per_byte
    assert table.sum_bytes.value == 3
    assert list(table.levels) == ["weights", "sums", "shared"]
    weights, sums, shared = table.levels.values()
    assert weights.holds == ("weights",)
    assert weights.capacity_bytes.value == 1 * 8 * 2  # one for all 4 positions
    assert not weights.at_multipliers
    assert sums.at_multipliers
    assert sums.capacity_bytes.value == 8 * 4 * 8 * 2
    assert (sums.read_pj_per_byte.value, sums.write_pj_per_byte.value) == (0.25, 8 / 24)
    assert shared.holds == ("inputs", "weights", "sums")
    assert (shared.read_pj_per_byte.value, shared.write_pj_per_byte.value) == (2, 3)
    assert "hw.yaml" in shared.read_pj_per_byte.source


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("memories", "sums", "r_cost"), None, r"hw\.yaml: memories\.sums\.r_cost: should be a valid"),
        (("memories", "sums", "r_cost"), -1.0, r"hw\.yaml: memories\.sums\.r_cost: should be greater"),
        (("memories", "sums", "size"), 0, r"hw\.yaml: memories\.sums\.size: should be greater"),
        (("memories", "sums", "operands"), ["I3"], r"memories\.sums\.operands: the mapping links no I3"),
        (("memories", "sums", "served_dimensions"), ["D9"], r"served_dimensions: there is no D9"),
        (("operational_array", "sizes"), [4], r"sizes: should be as many as dimensions"),
        (("memories",), {}, r"hw\.yaml: memories: "),
        ((), [], r"hw\.yaml: "),
    ],
)  # fmt: skip
def test_faulty_accelerators(tmp_path: Path, path: Any, value: Any, message: str) -> None:
    hardware = copy.deepcopy(HARDWARE)
    at: Any = hardware
    for key in path[:-1]:
        at = at[key]
    if path:
        at[path[-1]] = value
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, hardware if path else value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([], r"map\.yaml: should be a list with an entry named default"),
        ("text", r"map\.yaml: should be a list with an entry named default"),
        ([MAPPING[1] | {"spatial_mapping": {"D1": ["FX, 3"]}}], r"D1: should be one of K, C"),
        ([MAPPING[1] | {"spatial_mapping": {"D1": ["K, x"]}}], r"D1: should be one of K, C"),
        ([MAPPING[1] | {"spatial_mapping": {"D1": ["K, 2", "C, 2"]}}], r"should unroll one loop"),
        ([MAPPING[1] | {"memory_operand_links": {"I": "I1"}}], r"should have I, W and O"),
        (
            [MAPPING[1] | {"memory_operand_links": {"I": "I1", "W": "I2", "X": "O"}}],
            r"should have I, W and O",
        ),
    ],
)
def test_faulty_mappings(tmp_path: Path, mapping: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, mapping=mapping)
