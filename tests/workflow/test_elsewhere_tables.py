"""What others report of defences stands beside the rows of a run that compare the same."""

from typing import Any

import pandas as pd
import pytest
from scripts import script_named

from nenni.core.io import read_csv


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("_elsewhere_tables")


def suites(script: Any, apart: float = 0.05) -> dict[str, pd.DataFrame]:
    """Each number that is asked for is another one, on 60 images and on fewer."""
    found = {}
    for run, defences in script.HERE.items():
        asked = [row for both in defences.values() for row in both]
        rows = [
            {"base": script.BASES[run], "suite": suite, "defence": defence, "attack": attack, "seed": "all",
             "n": n, "accuracy": (left := 0.9 - 0.1 * i - (n < 60)),
             "low": left - apart / 2, "high": left + apart / 2}
            for i, (suite, defence, attack) in enumerate(asked) for n in (20, 60)
        ]  # fmt: skip
        found[run] = pd.DataFrame(rows)
    return found


def test_each_report_has_its_rows(script: Any) -> None:
    found = pd.DataFrame(
        {"defence": ["rpf", "k_wta"], "compared": ["a", "b"], "first": [0.6, None], "second": [0.4, None],
         "network": ["a network", None], "source": ["someone", "others"]}
    )  # fmt: skip
    first, second = script.elsewhere(found, suites(script)).to_dict("records")
    assert first["elsewhere"] == "60.0 % and 40.0 % (apart +20.0) (a network)"
    for run in ("cifar10_cpu", "baselines"):
        told = first[f"here, `{run}`"]
        assert told == "**shows**: 70.0 % and 60.0 % (apart +10.0), n = 60"
    assert (second["elsewhere"], second["by"]) == ("no number", "others")
    wide = script.elsewhere(found, suites(script, apart=0.2)).to_dict("records")
    assert wide[1]["here, `baselines`"].startswith("**does not show**: 50.0 % and 40.0 %")


def test_every_report_that_is_kept_can_be_told(script: Any) -> None:
    kept = read_csv(script_named("result_pages").TABLES / "defences_elsewhere.csv")
    assert len(script.elsewhere(kept, suites(script))) == len(kept)
