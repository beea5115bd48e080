"""The command technology writes what other commands read."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import hwmodel
from hwmodel.__main__ import main

PORTS = [{"type": "read_write", "bandwidth_max": 64}]
HARDWARE = {
    "name": "small",
    "memories": {
        name: {"size": 10**6, "r_cost": 8.0, "w_cost": 16.0, "operands": ["I1", "I2", "O"],
               "served_dimensions": ["D1"], "ports": PORTS}
        for name in ("sram", "dram")
    },
    "operational_array": {"unit_energy": 0.5, "dimensions": ["D1"], "sizes": [16]},
}  # fmt: skip
MAPPING = [
    {
        "name": "default",
        "spatial_mapping": {"D1": ["K, 16"]},
        "memory_operand_links": {"I": "I1", "W": "I2", "O": "O"},
    }
]
ERT = {
    "ERT": {
        "version": "0.4",
        "tables": [
            {"name": f"top.{name}[1..1]",
             "actions": [{"name": "read", "energy": 32.0}, {"name": "write", "energy": 64.0}]}
            for name in ("sram", "DRAM")
        ],
    }
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, data in (("hw", HARDWARE), ("map", MAPPING), ("ert", ERT)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return tmp_path


def test_what_zigzag_has(here: Path, capsys: Any) -> None:
    words = ["technology", "e.toml", "--out-preset", "p.toml", "--zigzag", "hw.yaml", "map.yaml"]
    assert main(words) == 0
    assert capsys.readouterr().out == "written: e.toml, p.toml\n"
    assert hwmodel.load_preset("p.toml").unrolled.neurons.value == 16
    assert hwmodel.load_energy_table("e.toml").levels["sram"].read_pj_per_byte.value == 1


def test_what_accelergy_has(here: Path) -> None:
    assert (
        main(["technology", "e.toml", "--accelergy", "ert.yaml", "--memory-word-bytes", "4"]) == 0
    )
    table = hwmodel.load_energy_table("e.toml")
    assert (table.memory_pj_per_byte.value, table.memory_write_pj_per_byte.value) == (8, 16)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["e.toml"], "give --zigzag HARDWARE.yaml MAPPING.yaml or --accelergy ERT.yaml"),
        (["e.csv", "--accelergy", "ert.yaml"], "e.csv: should end in .toml"),
        (["no/e.toml", "--accelergy", "ert.yaml"], "in a folder that exists"),
        (["e.toml", "--accelergy", "hw.yaml"], "hw.yaml: ERT: is missing"),
        (["e.toml", "--accelergy", "none.yaml"], "none.yaml: cannot be read"),
        (["e.toml", "--accelergy", "ert.yaml", "--memory-word-bytes", "0"], "memory-word-bytes"),
    ],
)
def test_mistakes_are_told_in_a_line(
    here: Path, words: list[str], message: str, capsys: Any
) -> None:
    try:
        status = main(["technology", *words])
    except SystemExit as stopped:
        status = stopped.code
    error = capsys.readouterr().err
    assert (status, error.count("\n")) == (2, 1)
    assert message in error
    assert not (here / "e.toml").exists()
