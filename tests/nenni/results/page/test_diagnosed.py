from pathlib import Path

import pandas as pd

from nenni.core.io import read_csv
from nenni.results.page.diagnosed import diagnosed

REFERENCE = Path(__file__).parents[4] / "results" / "reference" / "mnist5k" / "diagnostics.csv"


def rows(*verdicts: str, whole: str = "trustworthy") -> pd.DataFrame:
    """One network's checks."""
    where = {"base": "at", "defence": "none", "seed": 0}
    checks = [
        {**where, "name": f"check {i}", "value": 0.25, "threshold": 0.02, "verdict": verdict,
         "meaning": "PGD stops early" if i else "images are grey"}
        for i, verdict in enumerate(verdicts)
    ]  # fmt: skip
    last = {"value": 0, "threshold": 0, "verdict": "pass", "meaning": whole}
    last["verdict"] = "fail" if "fail" in verdicts else "pass"
    return pd.DataFrame([*checks, {**where, "name": "all checks", **last}])


def test_a_failed_check_is_a_sentence_and_comes_first() -> None:
    (found,) = diagnosed(rows("pass", "note", "too few images", "fail", whole="not believed"))
    assert found.network == "none on at, seed 0"
    assert (found.sign, found.verdict) == ("bad", "not believed")
    assert found.passed == ["check 0"]
    assert [f.check for f in found.findings] == ["check 3", "check 2", "check 1"]
    assert found.findings[0].verdict == "failed"
    assert found.findings[0].sentence == (
        "25.0 % where at most 2.0 % is no fault: PGD stops early."
    )


def test_only_what_is_called_trustworthy_is_good() -> None:
    assert diagnosed(rows("pass", "note"))[0].sign == "good"
    assert diagnosed(rows("pass", whole="undecided, too few images (n = 5)"))[0].sign == "open"


def test_verdicts_that_nobody_named_are_told_too() -> None:
    (found,) = diagnosed(rows("pass", "unheard of"))
    assert [(f.check, f.verdict) for f in found.findings] == [("check 1", "unheard of")]


def test_the_committed_diagnostics() -> None:
    table = read_csv(REFERENCE)
    found = {it.network: it for it in diagnosed(table)}
    assert len(found) == len(table[["base", "defence", "seed"]].drop_duplicates())
    for it in found.values():
        base = table[(table["defence"] + " on " + table["base"] + ", seed 0") == it.network]
        assert len(it.findings) + len(it.passed) + 1 == len(base)
        assert (it.sign == "bad") == (base["verdict"] == "fail").any()
