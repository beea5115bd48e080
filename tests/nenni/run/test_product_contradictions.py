"""Tables and figures of what a run does not make are refused before it starts."""

from pathlib import Path
from typing import Any

import pytest
from run_cases import DIGITS, refused_with, with_values

from nenni.results.main_columns import BITOPS, CLEAN, LATENCY, OF_COMPARISON, WHERE, of_accuracy
from nenni.run.config_file import load_config, read_yaml

ABOUT = "is about no experiment"


@pytest.mark.parametrize(
    "title", [*WHERE, *of_accuracy(CLEAN), f"{BITOPS}fp32_with", f"{LATENCY}server_cpu"]
)
def test_a_title_is_no_other_column(tmp_path: Path, title: str) -> None:
    (line,) = refused_with(tmp_path, {"tables.columns": {"pgd_20": "pgd_20", title: "fgsm"},
                                      "figures": {}})  # fmt: skip
    assert line.startswith(f"tables.columns.{title}: ")
    assert "base, defence, norm, eps, clean, clean_deviation" in line or f"{BITOPS}*" in line


@pytest.mark.parametrize("start", OF_COMPARISON)
def test_a_title_is_no_column_of_the_comparison(tmp_path: Path, start: str) -> None:
    columns = {"pgd_20": "pgd_20", f"{start}a": "fgsm"}
    (line,) = refused_with(tmp_path, {"tables.columns": columns, "figures": {}})
    assert line.startswith(f"tables.columns.{start}a: begins as columns of the comparison do")


@pytest.mark.parametrize("ending", of_accuracy("")[1:])
@pytest.mark.parametrize("turned", [False, True])
def test_a_title_is_not_what_another_makes(tmp_path: Path, ending: str, turned: bool) -> None:
    titles = ["a", f"a{ending}"][:: -1 if turned else 1]
    columns = dict(zip(titles, ["pgd_20", "fgsm"], strict=True))
    (line,) = refused_with(tmp_path, {"tables.columns": columns, "figures": {}})
    assert line.startswith(f"tables.columns.{titles[1]}: makes the column 'a{ending}', which '")


def test_an_evaluation_has_one_title(tmp_path: Path) -> None:
    """The table of controls has a row for an evaluation, under its title."""
    columns = {"fgsm": "fgsm", "pgd_20": "pgd_20", "again": "pgd_20"}
    (line,) = refused_with(tmp_path, {"tables.columns": columns, "figures": {}})
    why = "reads evaluation 'pgd_20', as 'pgd_20' does; leave one of them out"
    assert line == f"tables.columns.again: {why}"


def test_no_column_passes_for_a_title(tmp_path: Path) -> None:
    titles = ["pgd_20", "pgd_20_low_low", "pgd_20_low_high", "pgd_20_low_n"]
    columns = dict(zip(titles, ["pgd_20", "fgsm", "transfer", "pgd_20_curve"], strict=True))
    found = refused_with(tmp_path, {"tables.columns": columns, "figures": {}})
    why = "with 'pgd_20_low_high' and 'pgd_20_low_n' makes 'pgd_20_low' pass for a title"
    assert f"tables.columns.pgd_20_low_low: {why}; choose another" in found


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ({"name": "attack_suite", "suite": "nothing"}, "suite: unknown name 'nothing'"),
        ({"name": "diagnostic_checks", "base": "standard"}, "draws the table 'diagnostics', which has no rows of base 'standard'"),
        ({"name": "diagnostic_curves", "base": "standard"}, "draws the table 'diagnostic_curves', which has no rows of"),
        ({"name": "injected_noise", "base": "pgd_at", "defences": ["topk_50", "none"]}, "draws the table 'errors', which has no rows of base 'pgd_at', defence 'none'"),
        ({"name": "speedup", "base": "pgd_at", "defence": "none_ft"}, "draws the table 'speedups', which has no rows of"),
        ({"name": "roofline", "base": "standard", "defence": "nm_2_4"}, "defence: unknown name 'nm_2_4'"),
        ({"name": "ablation", "base": "pgd_at", "knob": "fraction", "defences": ["topk_50", "none"], "control": "none_ft"}, "figures.asked: defence 'none' injects nothing"),
        ({"name": "ablation", "base": "pgd_at", "knob": "pattern", "defences": ["nm_2_4", "topk_50"], "control": "none_ft"}, "figures.asked: defence 'topk_50' has no pattern N:M"),
        ({"name": "ablation", "base": "pgd_at", "knob": "fraction", "defences": ["nm_2_4", "topk_50"], "control": "none_ft"}, "figures.asked: defence 'nm_2_4' has no fraction of essential neurons"),
        ({"name": "ablation", "base": "pgd_at", "knob": "fraction", "defences": ["topk_50"], "control": "nothing"}, "control: unknown name 'nothing'"),
        ({"name": "best_and_last", "bases": ["pgd_at", "nothing"], "column": "pgd_20"}, "bases: unknown name 'nothing'"),
        ({"name": "bitops_per_layer", "base": "standard", "defences": ["topk_25"]}, "defences: unknown name 'topk_25'"),
    ],
)  # fmt: skip
def test_a_figure_has_rows(tmp_path: Path, figure: dict[str, Any], message: str) -> None:
    found = refused_with(tmp_path, {"figures.asked": figure})
    assert any(message in line for line in found), found
    assert all(line.startswith("figures.asked") for line in found)


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"topk_50": ["nothing"]}, "tables.controls.topk_50: unknown name 'nothing'"),
        ({"nothing": ["none"]}, "tables.controls.nothing: unknown name 'nothing'"),
        ({"topk_20": ["nm_2_4"]}, "tables.controls.topk_20: no base has it and one of its controls"),
    ],
)  # fmt: skip
def test_a_method_and_its_controls_are_on_one_base(
    tmp_path: Path, controls: dict[str, list[str]], message: str
) -> None:
    found = refused_with(tmp_path, {"tables.controls": controls, "figures": {}})
    assert any(line.startswith(message) for line in found), found


@pytest.mark.parametrize("controls", [{"nm_2_4": ["none_ft"]}, {"topk_50": ["random_50"]}])
def test_a_figure_of_controls_has_a_method_and_a_control(
    tmp_path: Path, controls: dict[str, list[str]]
) -> None:
    """On its base, which lacks the one or the other."""
    changes = {"tables.controls": controls, "figures": {"asked": {"name": "controls", "base": "standard"}}}  # fmt: skip
    (line,) = refused_with(tmp_path, changes)
    assert line.endswith("draws the table 'controls', which has no rows of base 'standard'")


def test_a_figure_of_a_base_without_injected_defences(tmp_path: Path) -> None:
    figure = {"name": "selection_recall", "base": "standard"}
    changes = {"figures": {"asked": figure}, "experiments.standard": ["none"],
               "suites.undefended.defences": ["none"]}  # fmt: skip
    (line,) = refused_with(tmp_path, changes)
    assert line == "figures.asked: draws the table 'fit', which has no rows of base 'standard'"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"evaluations.pgd_20_curve.defences": ["topk_25"], "evaluations.pgd_20_curve.eps": {"standard": [25.5]}}, "evaluations.pgd_20_curve"),
        ({"evaluations.transfer": {"attack": "bpda", "eps": {"pgd_at": [76.5], "standard": [25.5]}, "examples": 9, "defences": ["none"]}}, "evaluations.transfer"),
        ({"suites.undefended.defences": ["none_ft"]}, "suites.undefended"),
        ({"diagnose.defences": ["topk_25"], "diagnose.eps": {"standard": 25.5}}, "diagnose"),
    ],
)  # fmt: skip
def test_a_measurement_of_nothing(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    found = refused_with(tmp_path, changes)
    assert any(line.startswith(f"{place}: {ABOUT}") for line in found), found


def test_eps_that_are_equal_in_eight_digits_are_two(tmp_path: Path) -> None:
    content = read_yaml(DIGITS)
    near = 76.5000000001
    for name in ("fgsm", "pgd_20", "transfer"):
        content["evaluations"][name]["eps"]["pgd_at"] = [76.5, near]
    changes = {"evaluations": content["evaluations"], "tables.eps.pgd_at": near}
    (line,) = refused_with(tmp_path, changes | {"run": "reference"})
    assert line.startswith("run: ")
    found = refused_with(tmp_path, changes | {"tables.eps.pgd_at": 76.50000000012345})
    assert (
        "tables.eps.pgd_at: evaluation 'fgsm' has no eps 76.50000000012345 for this base" in found
    )


def test_a_column_may_be_of_some_bases_and_clean_images_are_of_all(tmp_path: Path) -> None:
    content = read_yaml(DIGITS)
    attacked = content["evaluations"]["pgd_20"] | {"eps": {"pgd_at": [76.5]}}
    some = {"evaluations.some": attacked, "tables.columns.some": "some"}
    (tmp_path / "run.yaml").write_text(with_values(some))
    assert load_config(tmp_path / "run.yaml").tables.columns["some"] == "some"
    (line,) = refused_with(tmp_path, some | {"tables.clean": "some"})
    assert line == "tables.clean: evaluation 'some' has no images of base 'standard'"
    none = some | {"evaluations.some": attacked, "tables.eps": {"standard": 25.5}}
    found = refused_with(tmp_path, none | {"figures": {}})
    assert "tables.columns.some: evaluation 'some' attacks no base of the table" in found
    wrong = {"evaluations.some": attacked | {"eps": {"pgd_at": [7]}}}
    (line,) = refused_with(tmp_path, some | wrong)
    assert line == "tables.eps.pgd_at: evaluation 'some' has no eps 76.5 for this base"
