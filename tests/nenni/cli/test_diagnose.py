"""``nenni diagnose``, as a person calls it."""

from pathlib import Path

import pandas as pd
import pytest

from nenni.cli.main import main

WORDS = ["w.pt", "--model", "my_digits:build", "--data", "digits.npz", "--eps", "0.05"]


@pytest.mark.long
def test_prints_and_writes_the_checks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", *WORDS, "--examples", "5", "--out", "found"]) == 0
    out = capsys.readouterr().out
    assert "(n = 5)" in out
    rows = pd.read_csv(folder / "found" / "diagnostics.csv")
    assert "black box" in set(rows["name"])
    assert all(name in out for name in rows["name"])
    assert len(pd.read_csv(folder / "found" / "diagnostic_curves.csv")) > 20


@pytest.mark.long
def test_is_what_evaluate_does_beside(folder: Path) -> None:
    assert main(["diagnose", *WORDS, "--examples", "4", "--out", "one"]) == 0
    both = ["--suite", "suite.yaml", "--diagnose", "--out", "two"]
    assert main(["evaluate", *WORDS, "--examples", "4", *both]) == 0
    one, two = ((folder / name / "diagnostics.csv").read_bytes() for name in ("one", "two"))
    assert one == two
