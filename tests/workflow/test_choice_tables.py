"""Each choice is told by what it exchanges, and counted beside the control by its intervals."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripts import script_named

TABLES = Path(__file__).parents[2] / "results" / "reference" / "choices"
USUAL = {
    "selection": {"name": "topk", "fraction": 0.5}, "normalise": False, "exact_bits": 32,
    "layers": [], "overrides": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("_choice_tables")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({}, ""),
        ({"exact_bits": 8, "normalise": True}, "normalise True, exact_bits 8"),
        (
            {"selection": {"name": "block", "fraction": 0.5, "channels": 4}},
            "selection block (fraction 0.5, channels 4)",
        ),
        ({"selection": {"name": "none"}}, "selection none"),
        ({"layers": ["conv1", "fc*"]}, "layers conv1, fc*"),
        ({"overrides": {"fc*": {"fraction": 0.75}}}, "overrides (fc* (fraction 0.75))"),
    ],
)
def test_what_is_exchanged_is_told_with_its_value(
    other: dict[str, Any], told: str, script: Any
) -> None:
    assert script.differs(USUAL | other, USUAL) == told


def test_choices_are_counted_where_their_interval_leaves_the_control(script: Any) -> None:
    rows = [
        ("a", "none_ft", "least of strong", -0.2, -0.1), ("b", "none_ft", "least of strong", -0.2, 0.1),
        ("c", "none_ft", "least of strong", 0.1, 0.2), ("c", "topk_50", "least of strong", -0.2, -0.1),
        ("d", "none_ft", "pgd_20", -0.2, -0.1),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["defence", "control", "measure", "low", "high"])
    assert script.tally(table) == "worse in 1 of 3, better in 1"


def test_every_defence_that_injects_has_a_row_and_only_the_usual_one_exchanges_nothing(
    script: Any,
) -> None:
    tables = [pd.read_csv(TABLES / f"{name}.csv") for name in ("main", "suites", "controls")]
    main, suites, _ = tables
    table = script.exchanged(*tables).set_index("choice")
    injected = set(main["defence"]) - {"none", "none_ft"}
    assert set(table.index) == {f"`{name}`" for name in injected}
    assert list(table.index[table["differs in"] == ""]) == [f"`{script.USUAL}`"]
    (worst,) = suites.query("defence == 'zero' and attack == 'all attacks' and seed == 'all'")[
        "accuracy"
    ]
    assert table.loc["`zero`", "all attacks"] == f"{100 * worst:.1f} %"
