"""Tables of docs/found.md."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from found_cases import BROKEN, HONEST, committed, controls, repair, suites
from scripts import script_named

from nenni.evaluation.statistics import difference_interval

made: Any = script_named("_found_tables")
found: Any = script_named("_found")


def test_methods_are_beside_their_controls(tmp_path: Path) -> None:
    (run,) = found.runs(committed(tmp_path))
    table = made.beside_controls(run).set_index("less")
    assert list(table.index) == ["`none_ft`", "`random_50`"]
    assert table.loc["`none_ft`", "PGD-20"] == "worse, -10.0 (-20.0 to -5.0)"
    assert table.loc["`random_50`", "all attacks of `strong`"] == ""


def test_only_attacks_on_all_images_are_compared_by_their_way(tmp_path: Path) -> None:
    table = suites(BROKEN | {"square": 0.1}, HONEST)
    table.loc[table["attack"] == "square", "n"] = 30
    table.loc[(table["attack"] == "all attacks"), "accuracy"] = 0.5
    (run,) = found.runs(committed(tmp_path, suites=table))
    (told,) = made.suites(run)
    assert (told.n, told.hardest, told.hardest_accuracy) == (50, "soft_mask", 0.5)
    assert told.by_way == {"own": 0.6, "soft": 0.5, "past": 0.7}
    assert told.control_by_way == {"own": 0.78}
    rows = told.table.set_index("attack")
    assert rows.loc["`square`", "n"] == 30
    assert rows.loc["`soft_mask`", "`none_ft`"] == ""


def test_a_method_is_told_under_each_suite_of_it_and_its_control(tmp_path: Path) -> None:
    both = controls().query("measure == 'least of strong'")
    none = controls().query("measure != 'least of strong'")
    (run,) = found.runs(committed(tmp_path, controls=pd.concat([both, none])))
    assert [told.suite for told in made.suites(run)] == ["strong"]
    run.tables["controls"] = none
    assert made.suites(run) == []


def test_the_first_method_of_each_base_and_suite_is_told_in_short(tmp_path: Path) -> None:
    second, other = {"defence": {"topk_50": "nm_4_8"}}, {"base": {"pgd_at": "standard"}}
    each = controls(), suites(BROKEN, HONEST)
    tables = [pd.concat([t, t.replace(second), t.replace(second).replace(other)]) for t in each]
    tables[1] = tables[1].drop_duplicates()
    (run,) = found.runs(committed(tmp_path, controls=tables[0], suites=tables[1]))
    assert len(made.suites(run)) == 3
    told = made.survival([run])["network"]
    assert list(told) == ["`pgd_at/topk_50`", "`standard/nm_4_8`"]


def test_where_nothing_was_trained_a_method_is_beside_the_network_as_it_was_given(
    tmp_path: Path,
) -> None:
    given = controls().replace({"control": {"none_ft": "none"}})
    under = suites(BROKEN, HONEST).replace({"defence": {"none_ft": "none"}})
    (run,) = found.runs(committed(tmp_path, controls=given, suites=under))
    (told,) = made.suites(run)
    assert (told.control, told.other) == ("none", "the network as it was given")
    assert told.control_plain == HONEST["pgd_20"]
    assert "`none`" in told.table
    run.tables["controls"] = pd.concat([given, controls()])
    run.tables["suites"] = pd.concat([under, suites(BROKEN, HONEST)]).drop_duplicates()
    assert [told.control for told in made.suites(run)] == ["none_ft"]


def test_repairs_are_paired_by_image_and_seed() -> None:
    table = made.repaired(repair(half=("half", 0.5))).set_index("setting")
    row = table.loc["half"]
    stack = np.tile(np.array([letter == "y" for letter in 40 * "yynnyynnyy"], float) - 1, (3, 1))
    assert (row["low"], row["high"]) == difference_interval(stack)
    assert row["difference"] == pytest.approx(-0.4)
    assert (row["seeds"], row["n"], row["seconds"]) == (3, 400, 2.0)
    assert row["repaired"] == "no"


@pytest.mark.parametrize(
    ("low", "high", "saved", "told"),
    [
        (-0.01, 0.1, 0.5, "yes"),
        (-0.02, 0.1, 0.4, "yes"),
        (-0.05, 0.1, 0.5, "undecided"),
        (-0.05, -0.03, 0.5, "no"),
        (-0.01, 0.1, 0.39, "no"),
    ],
)
def test_a_repair_keeps_the_accuracy_and_saves(
    low: float, high: float, saved: float, told: str
) -> None:
    assert made._is_repair(low, high, saved) == told


def test_a_setting_without_a_control_is_left_out() -> None:
    table = repair(kept=("good", 0.5)).query("setting != 'none_ft' or seed == 0")
    assert made.repaired(table).set_index("setting").loc["kept", "seeds"] == 1
    assert made.repaired(table.query("setting != 'none_ft'")).empty


def test_the_control_has_no_verdict() -> None:
    found = made.repaired(repair(kept=("good", 0.5), none_ft_margin=("good", 0.0)))
    shown = made.repair_table(found).set_index("setting")
    assert shown.loc["`none_ft`", "repaired"] == shown.loc["`none_ft`", "less `none_ft`"] == ""
    assert shown.loc["`none_ft_margin`", "repaired"] == ""
    assert shown.loc["`none_ft_margin`", "less `none_ft`"].startswith("+0.0 (")
    assert shown.loc["`kept`", "repaired"] == "yes"
    assert made.tried(found)["setting"].tolist() == ["kept"]
