"""The commands export and levels."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hwmodel.__main__ import main

DUMPED = {
    "outputs": {
        "energy": {
            "operational_energy": 2.0,
            "memory_energy_breakdown_per_level": {"O": [1.0, 2.0], "W": [3.0], "I": [4.0]},
        },
        "latency": {"computation": 20.0},
    },
    "inputs": {
        "accelerator": {
            "mem_hierarchy_dict": {
                "O": ["MemoryLevel(instance=rf,", "MemoryLevel(instance=dram,"],
                "I2": ["MemoryLevel(instance=dram,"],
                "I1": ["MemoryLevel(instance=dram,"],
            }
        }
    },
}
STATS = """\
=== mac ===
    Energy (total)          : 21.50 pJ
=== spad ===
        Energy (total)                           : 10.00 pJ
=== DRAM ===
        Energy (total)                           : 500.00 pJ
Summary Stats
Cycles: 1234
"""


@pytest.fixture
def layers(tmp_path: Path, network_json: Any, layer_dict: Any) -> Path:
    path = tmp_path / "layers.json"
    layer = layer_dict({"selection": "topk"}, name="a", exact_bits=8)
    path.write_text(json.dumps(network_json(layer, layer_dict(None, name="b", exact_bits=8))))
    return path


def test_files_of_both_tools(layers: Path, tmp_path: Path, capsys: Any) -> None:
    folders = ["--zigzag", str(tmp_path / "zz"), "--timeloop", str(tmp_path / "tl")]
    assert main(["export", str(layers), "--preset", "edge_npu", *folders]) == 0
    assert capsys.readouterr().out == "5 products in 6 files\n"
    assert len(yaml.safe_load((tmp_path / "zz" / "workload.yaml").read_text())) == 5
    assert sorted(path.name for path in (tmp_path / "tl").iterdir()) == [
        "a.approximation.yaml", "a.dense.yaml", "a.exact.yaml", "a.projection.yaml", "b.dense.yaml",
    ]  # fmt: skip


def test_levels_of_this_model_and_another(layers: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "b.dense_complete.json").write_text(json.dumps(DUMPED))
    (tmp_path / "b.dense.stats.txt").write_text(STATS)
    out = tmp_path / "levels.csv"
    command = ["levels", str(layers), "--preset", "edge_npu", "--csv", str(out)]
    assert main([*command, "--zigzag", str(tmp_path), "--timeloop", str(tmp_path)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert capsys.readouterr().out == f"{len(rows)} rows in {out}\n"
    assert list(rows[0]) == ["layer", "phase", "source", "batch", "cycles", "level", "pj"]
    assert [row["source"] for row in rows[-6:]] == 3 * ["zigzag"] + 3 * ["timeloop"]
    assert {row["source"] for row in rows[:-6]} == {"edge_npu"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "--preset", "edge_npu"], "give --zigzag FOLDER or --timeloop FOLDER"),
        (["export", "--zigzag", "zz"], "give one --preset: a100, "),
        (["export", "--preset", "a100", "h100", "--zigzag", "zz"], "give one --preset"),
        (["export", "--preset", "a100", "--zigzag", "no/where"], "there is no folder no"),
        (["levels", "--preset", "a100", "--csv", "no/a.csv"], "there is no folder no"),
        (
            ["levels", "--preset", "a100", "--csv", "a.csv", "--zigzag", "."],
            "has no file of a phase",
        ),
    ],
)
def test_mistakes_are_told_in_a_line(
    layers: Path, words: list[str], message: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(layers.parent)
    command, *rest = words
    assert main([command, str(layers), *rest]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_layers_whose_files_would_have_one_name(
    tmp_path: Path, network_json: Any, layer_dict: Any, capsys: Any
) -> None:
    path = tmp_path / "layers.json"
    both = [layer_dict(None, name=name, exact_bits=8) for name in ("a/b", "a b")]
    path.write_text(json.dumps(network_json(*both)))
    assert main(["export", str(path), "--preset", "edge_npu", "--zigzag", str(tmp_path / "z")]) == 2
    assert "names of layers: should differ" in capsys.readouterr().err
    assert not (tmp_path / "z").exists()
