"""What others report of defences stands beside the rows of a run that compare the same."""

from typing import Any

import pandas as pd
import pytest
from scripts import script_named

from nenni.core.io import read_csv


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("_elsewhere_tables")


def suites(script: Any) -> pd.DataFrame:
    """Each number that is asked for is another one, on 60 images and on fewer."""
    asked = [row for both in script.HERE.values() for row in both]
    rows = [
        {"suite": suite, "base": script.BASE, "defence": defence, "attack": attack, "seed": "all",
         "n": n, "accuracy": 0.9 - 0.1 * i - (n < 60)}
        for i, (suite, defence, attack) in enumerate(asked) for n in (20, 60)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_each_report_has_its_rows(script: Any) -> None:
    found = pd.DataFrame(
        {"defence": ["rpf", "k_wta"], "compared": ["a", "b"], "first": [0.6, None], "second": [0.4, None],
         "network": ["a network", None], "source": ["someone", "others"]}
    )  # fmt: skip
    first, second = script.elsewhere(found, suites(script)).to_dict("records")
    assert first["elsewhere"] == "60.0 % and 40.0 % (apart +20.0) (a network)"
    assert first["here"] == "70.0 % and 60.0 % (apart +10.0), n = 60"
    assert (second["elsewhere"], second["by"]) == ("no number", "others")
    assert second["here"] == "50.0 % and 40.0 % (apart +10.0), n = 60"


def test_every_report_that_is_kept_can_be_told(script: Any) -> None:
    kept = read_csv(script_named("result_pages").TABLES / "defences_elsewhere.csv")
    assert len(script.elsewhere(kept, suites(script))) == len(kept) == len(script.HERE)
