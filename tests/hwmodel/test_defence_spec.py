"""What is refused of a defence in ``layers.json``, by its field."""

import json
from pathlib import Path
from typing import Any

import pytest
from injection_cases import refusal

import hwmodel
from hwmodel.defence_spec import Defence

GOOD = {"name": "pni", "draws": 3, "macs": 3, "additions": 0, "comparisons": 0, "ranked": 0,
        "stored": 1, "nonzeros": None, "n_of_m": None}  # fmt: skip


def test_it_is_read_and_what_is_left_out_is_nothing(
    tmp_path: Path, network_json: Any, layer_dict: Any
) -> None:
    path = tmp_path / "layers.json"
    path.write_text(json.dumps(network_json(layer_dict(None, defence=GOOD))))
    assert hwmodel.load(path).layers[0].defence == Defence(name="pni", draws=3, macs=3, stored=1)


@pytest.mark.parametrize(
    ("injection", "changes", "expected"),
    [
        (None, {"draws": -1}, "defence.draws: should be greater than or equal to 0, got -1"),
        (None, {"surprise": 1}, "defence.surprise: is not a known key"),
        (
            None,
            {"nonzeros": 32 * 144 + 1},
            "defence.nonzeros: should be at most the layer's weights, 4608",
        ),
        (None, {"n_of_m": [2, 0]}, "defence.n_of_m[1]: should be greater than 0, got 0"),
        ({}, {}, 'defence: should be null beside an injection, got "pni"'),
    ],
)
def test_mistakes_are_named(
    injection: Any, changes: dict[str, Any], expected: str, tmp_path: Path, network_json: Any,
    layer_dict: Any,
) -> None:  # fmt: skip
    path = tmp_path / "layers.json"
    text = json.dumps(network_json(layer_dict(injection, defence={**GOOD, **changes})))
    assert refusal(path, text).startswith(f"{path}: layers[0].{expected}")
