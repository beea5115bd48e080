"""Repeats of a run do not contradict each other; a few settings here, all in the table."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripts import script_named

from nenni.results.verdict import LARGE, SOME

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("verdict_repeats")


@pytest.mark.parametrize("share", [0.0, SOME, 1.5])
def test_two_repeats_do_not_contradict_each_other(script: Any, share: float) -> None:
    """At the border of an effect, where a rule without a third answer would toss a coin."""
    found = script.repeated(
        claimed=0.1474, deviation=0.02, seeds=5, true=share * 0.1474, trials=100
    )
    assert found["reversed"] <= 0.02
    assert sum(found[name] for name in script.FOUND) == pytest.approx(1)
    likely = {0.0: "not reproduced", SOME: "undecided", 1.5: "reproduced"}[share]
    assert found[likely] > 0.4


def test_the_table_is_of_all_settings_and_rules(script: Any) -> None:
    table = pd.read_csv(script.TABLE)
    keys = ["claimed", "deviation", "seeds", "true"]
    pd.testing.assert_frame_equal(table[keys], pd.DataFrame(script.settings()), rtol=1e-6)
    assert table["reversed"].max() <= 0.005
    shares = table["true"] / table["claimed"]
    assert (table.loc[shares <= 0, "reproduced"] < 0.005).all()
    assert (table.loc[shares.round(6) == LARGE, "reproduced"] <= 0.05).all()
    assert (table.loc[table["seeds"] < 5, "reproduced"] == 0).all()
