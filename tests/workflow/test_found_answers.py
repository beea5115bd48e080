"""What all runs together answer."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from found_cases import BROKEN, HONEST, committed, controls, persistence, suites
from scripts import script_named

made: Any = script_named("_found_answers")
found: Any = script_named("_found")
RANDOM = "as many neurons exact, chosen at random"


def runs(folder: Path, **tables: pd.DataFrame) -> Any:
    return found.runs(committed(folder, **tables))


def test_verdicts_are_counted_by_kind_of_control(tmp_path: Path) -> None:
    better = controls(difference=0.1, low=0.05, high=0.2, base="standard")
    apart = controls(low=-0.2, high=0.2, base="last")
    table = made.tally(runs(tmp_path, controls=pd.concat([controls(), better, apart])))
    rows = table.set_index("beside")
    assert list(rows.columns) == ["clean", "PGD-20", "all attacks of a suite"]
    same = "no noise, the same training"
    assert (rows.loc[same] == "1 better, 1 worse, 1 apart").all()
    assert rows.loc[f"{RANDOM} (draws)", "all attacks of a suite"] == ""


def test_without_a_run_there_is_nothing_to_count() -> None:
    assert made.tally([]).empty
    assert made.tries([]).empty
    assert made.savings([]).empty
    assert made.won([]).all == 0


def test_what_draws_is_told_by_the_config() -> None:
    config = script_named("_found").load_config(found.CONFIGS / "mnist_claims.yaml")
    words = script_named("_found_words")
    told = {name: words.draws(config, name) for name in config.defences}
    assert {name for name in told if told[name]} >= {"random_50", "gaussian_50", "uniform_50"}
    assert not {name for name in told if told[name]} & {"none_ft", "nm_4_8", "zero_50", "inverted_50"}  # fmt: skip


def test_controls_that_draw_are_told_apart(tmp_path: Path) -> None:
    under = controls().replace({"control": {"none_ft": "random_50"}})
    under = under[under["measure"] == "least of strong"]
    tables = {"controls": pd.concat([controls(), under]), "persistence": persistence()}
    some = runs(tmp_path, **tables)
    assert f"{RANDOM} (draws)" in list(made.tally(some)["beside"])
    won = made.won(some)
    assert (won.all, won.better, won.worse, won.apart) == (1, 0, 1, 0)


@pytest.mark.parametrize(
    ("accuracy", "then"), [(0.4, "above"), (0.2502, "level"), (0.2498, "level"), (0.2, "below")]
)
def test_a_fixed_mask_is_beside_ten_tries(accuracy: float, then: str, tmp_path: Path) -> None:
    """It may be worse by one try, and keep more at ten; what is shown alike is level."""
    under = controls(accuracy=accuracy, control_accuracy=0.5).replace({"control": {"none_ft": "random_50"}})  # fmt: skip
    under = under[under["measure"] == "least of strong"]
    drawn = persistence().assign(suite="strong")
    (row,) = made.tries(runs(tmp_path, controls=under, persistence=drawn)).to_dict("records")
    assert (row["keeps, one try"], row["ten tries"]) == ("50.0 %", "25.0 %")
    assert row["keeps"] == f"{100 * accuracy:.1f} %"
    assert row["then the method is"] == then


def test_the_part_that_gives_way_is_bold(tmp_path: Path) -> None:
    some = runs(tmp_path)
    (row,) = made.gives_way(some).to_dict("records")
    assert row["plain attack"] == "80.0 %"
    assert row["a soft mask in place of the jumps"] == "**50.0 %**"
    assert row["the network's own gradient"] == "60.0 %"
    assert made.furthest(some) == "of one network, a soft mask in place of the jumps in one"


def test_a_network_that_is_broken_whole_says_nothing_of_its_parts(tmp_path: Path) -> None:
    whole = suites(dict.fromkeys(BROKEN, 0.0), HONEST)
    assert made.gives_way(runs(tmp_path, suites=whole)).empty


def test_a_saving_stands_with_its_projection(tmp_path: Path) -> None:
    some = runs(tmp_path)
    some[0].tables["comparison"] = pd.DataFrame(
        {"base": ["pgd_at"], "defence": ["topk_50"], "bitops_int8": [0.9]}
    )
    (row,) = made.savings(some).to_dict("records")
    assert row == {
        "run": "`mnist5k`", "P": "`sparse`", "k/d": 0.5, "methods": "`topk_50`", "saved": "10.0 %",
    }  # fmt: skip
