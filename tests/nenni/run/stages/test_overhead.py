from pathlib import Path

import pandas as pd

from nenni.core.io import read_csv, write_json
from nenni.run.job import Job
from nenni.run.stages.overhead import run

CONTROLS = {
    "at": {"none_ft": "none_ft", "a": "none_ft", "none_dear": "none_dear", "b": "none_dear"},
    "standard": {"a": None},
}


def compared(folder: Path, seconds: dict[str, list[float]]) -> tuple[str, dict[str, float]]:
    """What the stage says, and times of the control, of experiments with their epochs' seconds."""
    inputs = {}
    for i, (name, each) in enumerate(seconds.items()):
        inputs[name] = [folder / f"{i}.json"]
        write_json(inputs[name][0], {"seconds_per_epoch": each, "examples": 1000})
    table = folder / "overhead.csv"
    said = run(Job("overhead", {"controls": CONTROLS}, inputs, {"table": table}))
    read = read_csv(table)
    names = (f"{row.base}/{row.defence}/seed{row.seed}" for row in read.itertuples())
    return said, dict(zip(names, read["over_control"], strict=True))


def test_each_is_compared_with_its_own_fine_tuning(tmp_path: Path) -> None:
    said, found = compared(tmp_path, {
        "at/none_dear/seed0": [21.0], "at/none_ft/seed0": [9.0, 8.0], "at/a/seed0": [16.0, 99.0],
        "at/b/seed0": [42.0], "at/a/seed1": [16.0], "standard/a/seed0": [5.0], "at/b/seed2": [],
    })  # fmt: skip
    expected = {"none_dear": 1.0, "none_ft": 1.0, "a": 2.0, "b": 2.0}
    assert {k: v for k, v in found.items() if pd.notna(v)} == {
        f"at/{defence}/seed0": ratio for defence, ratio in expected.items()
    }
    assert set(found) - {f"at/{d}/seed0" for d in expected} == {"at/a/seed1", "standard/a/seed0"}
    assert said == "6 timings; at most 2.0 times the same fine-tuning without the method"


def test_nothing_to_compare_with(tmp_path: Path) -> None:
    for seconds in ({}, {"standard/a/seed0": [5.0]}):
        said, found = compared(tmp_path, dict(seconds))
        assert said.endswith("timings; none beside the same fine-tuning without the method")
        assert len(found) == len(seconds)
