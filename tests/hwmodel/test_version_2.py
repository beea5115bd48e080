"""Files of version 2, which have the names of parts alone, are read as those of version 3."""

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from injection_cases import TRIVIAL

import hwmodel
from hwmodel.__main__ import main
from hwmodel.version_2 import _VOCABULARY

TAP = {"k_c": 2, "nonzeros": 11}
PROJECTIONS: list[dict[str, Any]] = [
    {"projection": "sparse"},
    {"projection": "gaussian", "nonzeros": 2592},
    {"projection": "count_sketch", "nonzeros": 144},
    {"projection": "tap_shared", **TAP},
    {"projection": "tap_shared_pca", **TAP},
]
SELECTIONS: list[dict[str, Any]] = [
    {"selection": "topk"},
    {"selection": "topk", "algorithm": "bisection", "normalise": True},
    {"selection": "threshold"},
    {"selection": "2:4"},
    {"selection": "3:7"},
    {"selection": "16x8"},
    {"selection": "channel"},
    {"selection": "random"},
    {"selection": "inverted"},
    {"selection": "oracle"},
    {"selection": "all", "measured_fraction": 1.0},
    {"selection": "none", "measured_fraction": 0.0},
]
NOISES: list[dict[str, Any]] = [
    {},
    {"noise": "zero"},
    {"noise": "gaussian"},
    {"noise": "uniform"},
    {"noise": "resample", "pool": 3},
]
SHARED = ("k", "nonzeros", "weight_bits", "input_bits", "projected_bits", "measured_fraction",
          "occupancy", "normalise")  # fmt: skip


def as_version_2(network: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The file that described the example's second layer before, by the names of its parts."""
    found = copy.deepcopy(network) | {"version": 2}
    injection = found["layers"][1]["injection"]
    word = changes.get("selection", "topk")
    is_pair, is_block = ":" in word, word[0].isdigit() and "x" in word
    old = {key: injection[key] for key in SHARED} | {
        "projection": changes.get("projection", "sparse"),
        "k_c": injection["k_c"],
        "selection": "n_m" if is_pair else "block" if is_block else word,
        "fraction": TRIVIAL.get(word, injection["fraction"]),
        "n_m": [int(n) for n in word.split(":")] if is_pair else None,
        "block": [int(n) for n in word.split("x")] if is_block else None,
        "noise": changes.get("noise", "approximation"),
        "pool": changes.get("pool", 1),
        "algorithm": changes.get("algorithm", injection["selection"]["algorithm"]),
    }
    found["layers"][1]["injection"] = old
    return found


@pytest.fixture
def both(network_json: Any, layer_dict: Any) -> Any:
    def make(changes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        new = network_json(layer_dict(None, name="first"), layer_dict(changes, out_channels=30))
        return as_version_2(new, changes), new

    return make


def write(folder: Path, *contents: dict[str, Any]) -> list[Path]:
    paths = [folder / f"{index}.json" for index in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(json.dumps(content))
    return paths


@pytest.mark.parametrize(
    "changes", PROJECTIONS + SELECTIONS + NOISES, ids=lambda case: "-".join(map(str, case.values()))
)
def test_both_versions_say_the_same(both: Any, tmp_path: Path, changes: dict[str, Any]) -> None:
    old, new = write(tmp_path, *both(changes))
    assert hwmodel.load(old) == hwmodel.load(new)


def test_every_name_is_tried() -> None:
    vocabulary = tomllib.loads(_VOCABULARY.read_text())
    assert {case["projection"] for case in PROJECTIONS} == set(vocabulary["projection"])
    assert {case.get("noise", "approximation") for case in NOISES} == set(vocabulary["noise"])
    words = {case["selection"] for case in SELECTIONS if not case["selection"][0].isdigit()}
    assert words | {"n_m", "block"} == set(vocabulary["selection"])


@pytest.mark.parametrize("selection", ["topk", "2:4", "16x8", "channel"])
def test_both_versions_give_the_same_tables(
    both: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], selection: str
) -> None:
    printed = []
    for index, path in enumerate(write(tmp_path, *both({"selection": selection, **TAP,
                                                        "projection": "tap_shared"}))):  # fmt: skip
        table = tmp_path / f"{index}.csv"
        assert main([str(path), "--operations", str(table)]) == 0
        printed.append((capsys.readouterr().out, table.read_text()))
    assert printed[0] == printed[1]


def test_fields_may_be_left_out_as_before(both: Any, tmp_path: Path) -> None:
    old, new = both({})
    for key in ("occupancy", "k_c", "n_m", "normalise", "noise", "pool", "block", "algorithm"):
        del old["layers"][1]["injection"][key]
    before, after = write(tmp_path, old, new)
    assert hwmodel.load(before) == hwmodel.load(after)


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"projection": "dct"}, "projection: should be one of sparse, tap_shared, "),
    ({"selection": None}, "selection: should be one of topk, inverted, "),
    ({"noise": "laplace"}, "noise: should be one of approximation, resample, "),
    ({"k_c": 2}, "k_c: should be null for this projection, got 2"),
    ({"projection": "tap_shared"}, "k_c: should be given for this projection, got null"),
    ({"projection": "count_sketch", "k": "9"}, "k: should be a whole number of 1 or more, got"),
    ({"n_m": [2, 4]}, "n_m: should be null for this selection, got [2, 4]"),
    ({"selection": "n_m"}, "n_m: should be given for this selection, got null"),
    ({"selection": "n_m", "n_m": [2]}, "n_m: should be two whole numbers, the second 1 or more"),
    ({"selection": "n_m", "n_m": [3, 2]}, "selection.n_of_m: should be [N, M] with N at most M"),
    ({"block": [4, 4]}, "block: should be null for this selection, got [4, 4]"),
    ({"selection": "block"}, "block: should be given for this selection, got null"),
    ({"selection": "block", "block": [4, 0]}, "block: should be two whole numbers, the second 1"),
    ({"selection": "threshold", "algorithm": "bisection"}, "algorithm: should be "),
    ({"pool": 2}, "pool: should be 1 for this noise, got 2"),
    ({"noise": "resample", "pool": 0}, "noise.pool: should be greater than 0, got 0"),
    ({"selection": "all"}, "measured_fraction: should be 1.0, the fraction, for this selection"),
    ({"k": 0}, "k: should be greater than 0, got 0"),
    ({"extra": 1}, "extra: is not a known key"),
]


@pytest.mark.parametrize(("changes", "expected"), FAULTS)
def test_faults_name_file_and_field(
    both: Any, tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    old, _ = both({})
    old["layers"][1]["injection"] |= {"algorithm": None} | changes
    (path,) = write(tmp_path, old)
    with pytest.raises(hwmodel.LayerSpecError) as caught:
        hwmodel.load(path)
    assert str(caught.value).startswith(f"{path}: layers[1].injection.{expected}")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"layers": 3}, "layers: should be a valid array, got 3"),
        ({"layers": [3]}, "layers[0]: should be an object, got 3"),
        ({"surprise": 1}, "surprise: is not a known key, got 1"),
    ],
)
def test_what_is_no_network_is_refused(
    both: Any, tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    old, _ = both({})
    (path,) = write(tmp_path, old | changes)
    with pytest.raises(hwmodel.LayerSpecError) as caught:
        hwmodel.load(path)
    assert str(caught.value).startswith(f"{path}: {expected.split(', got')[0]}")
