"""The figures, from small tables."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from table_cases import COLUMNS, EPS

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.results import figure_style
from nenni.results.figures import robustness_vs_bitops

STYLE: dict[str, dict[str, Any]] = {
    "accuracy_vs_eps": {"evaluation": "pgd"},
    "robustness_vs_bitops": {"column": "pgd_20"},
    "ablation": {
        "base": "pgd_at", "knob": "fraction", "defences": ["topk_50", "nm_2_4"], "control": "none",
    },
    "best_and_last": {"bases": ["pgd_at", "standard"], "column": "pgd_20"},
    "controls": {"base": "pgd_at"},
    "bitops_per_layer": {"base": "pgd_at", "defences": ["topk_50", "nm_2_4"]},
    "latency_per_layer": {"base": "pgd_at", "defence": "topk_50"},
    "speedup": {"base": "pgd_at", "defence": "topk_50"},
    "alternatives": {"base": "pgd_at", "defence": "topk_50"},
    "roofline": {"base": "pgd_at", "defence": "topk_50"},
    "injected_noise": {"base": "pgd_at", "defences": ["topk_50", "nm_2_4"]},
    "selection_recall": {"base": "pgd_at"},
    "attack_suite": {"suite": "full"},
    "persistent_attacker": {"suite": "full"},
    "layer_sensitivities": {"base": "pgd_at"},
    "diagnostic_curves": {"base": "pgd_at"},
    "diagnostic_checks": {"base": "pgd_at"},
}  # fmt: skip
GIVEN: dict[str, dict[str, Any]] = {
    "tables": {"clean": "fgsm", "columns": COLUMNS, "eps": EPS, "norm": "linf"},
    "settings": {
        "topk_50": {"selection": {"name": "topk", "fraction": 0.5}, "weight_bits": 4},
        "nm_2_4": {"selection": {"name": "topk", "fraction": 0.25}, "weight_bits": 2},
    },
}
"""What a figure gets of the config."""


@pytest.mark.long
@pytest.mark.parametrize("name", plugins.names("figure"))
def test_figures_draw_all_there_is_in_the_same_bytes(
    name: str, tables: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    figure_style.prepare()
    given: dict[str, Any] = {
        need: GIVEN[need] if need in GIVEN else tables[need]
        for need in plugins.needs("figure", name)
    }
    for copy in ("a", "b"):
        figure = plugins.load("figure", name)(**given, **STYLE.get(name, {}))
        figure_style.save(figure, tmp_path / f"{copy}.pdf", tmp_path / f"{copy}.png")
    for kind in ("pdf", "png"):
        first = (tmp_path / f"a.{kind}").read_bytes()
        assert first == (tmp_path / f"b.{kind}").read_bytes()
        assert b"CreationDate" not in first
        assert b"matplotlib" not in first.lower()
    axes = [axis for axis in figure.axes if axis.get_visible()]
    assert all(axis.get_title() and axis.get_ylabel() for axis in axes)
    assert all(axis.lines or axis.patches for axis in axes)
    (legend,) = figure.legends
    assert len(legend.get_texts()) >= 2


@pytest.mark.parametrize(
    ("name", "table"),
    [("attack_suite", "suites"), ("persistent_attacker", "persistence"), ("accuracy_vs_eps", "accuracy")],
)  # fmt: skip
def test_a_legend_names_what_only_one_panel_has(
    name: str, table: str, tables: dict[str, pd.DataFrame]
) -> None:
    rows = tables[table]
    another = rows.assign(base="another", defence=rows["defence"] + "_elsewhere")
    drawn = plugins.load("figure", name)(pd.concat([rows, another]), **STYLE[name])
    (legend,) = drawn.legends
    named = {text.get_text() for text in legend.get_texts()}
    shown = {label for axis in drawn.axes for label in axis.get_legend_handles_labels()[1]}
    assert named == shown
    assert any(name.endswith("_elsewhere") for name in named)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_figures_say_where_a_platform_cannot_run_the_network(
    tables: dict[str, pd.DataFrame],
) -> None:
    style = {"base": "pgd_at", "defence": "topk_50"}
    unknown = tables["speedups"].assign(speedup=np.nan)
    drawn = plugins.load("figure", "speedup")(
        speedups=unknown, crossovers=tables["crossovers"], **style
    )
    assert texts(drawn) == ["the platform cannot run it"]
    empty = tables["rooflines"][:0]
    drawn = plugins.load("figure", "roofline")(rooflines=empty, **style)
    assert texts(drawn) == ["topk_50 on pgd_at: no platform of this run has its precision"]


def ablation(tables: dict[str, pd.DataFrame], knob: str, **settings: Any) -> Figure:
    style = STYLE["ablation"] | {"knob": knob}
    given = GIVEN | {"settings": GIVEN["settings"] | settings}
    drawn: Figure = plugins.load("figure", "ablation")(
        tables["accuracy"], tables["suites"], **given, **style
    )
    return drawn


KNOBS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "bits": ({}, ["2", "4"]),
    "fraction": ({}, ["0.25", "0.5"]),
    "ratio": (
        {d: {"projection": {"ratio": r}, "selection": {}}
         for d, r in (("topk_50", 0.125), ("nm_2_4", 0.5))},
        ["0.125", "0.5"],
    ),
    "pattern": (
        {d: {"selection": {"name": "n_m", "n": n, "m": m}}
         for d, n, m in (("topk_50", 2, 4), ("nm_2_4", 1, 4))},
        ["1:4", "2:4"],
    ),
    "projection": (
        {d: {"projection": {"name": n}, "selection": {}}
         for d, n in (("topk_50", "tap_shared"), ("nm_2_4", "sparse"))},
        ["tap shared", "sparse"],
    ),
    "selection": (
        {d: {"selection": {"name": n}} for d, n in (("topk_50", "topk"), ("nm_2_4", "n_m"))},
        ["topk", "n m"],
    ),
    "score": (
        {d: {"score": s, "normalise": n, "selection": {}}
         for d, s, n in (("topk_50", "signed", True), ("nm_2_4", "magnitude", False))},
        ["signed, normalised", "magnitude"],
    ),
    "noise": (
        {d: {"noise": {"name": n}, "selection": {}}
         for d, n in (("topk_50", "uniform"), ("nm_2_4", "resample"))},
        ["uniform", "resample"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("knob", KNOBS)
def test_an_ablation_goes_along_its_knob(tables: dict[str, pd.DataFrame], knob: str) -> None:
    """In the order of the knob's values; words stand as the config has them."""
    settings, labels = KNOBS[knob]
    weaker = tables["accuracy"]["defence"] == "nm_2_4"
    lower = {name: tables["accuracy"][name] - 0.1 * weaker for name in ("accuracy", "low", "high")}
    better = tables["accuracy"].assign(**lower)
    drawn = ablation(tables | {"accuracy": better}, knob, **settings)
    axis = drawn.axes[0]
    assert [text.get_text() for text in axis.get_xticklabels()] == labels
    expected = [80.0, 90.0] if knob in ("bits", "fraction", "pattern") else [90.0, 80.0]
    assert axis.lines[0].get_ydata() == pytest.approx(expected)
    assert len([a for a in drawn.axes if a.get_visible()]) == 4  # clean, two columns, a suite


def test_an_ablation_leaves_out_a_suite_that_some_did_not_receive(
    tables: dict[str, pd.DataFrame],
) -> None:
    some = tables["suites"].query("defence != 'nm_2_4'")
    drawn = ablation(tables | {"suites": some}, "fraction")
    assert not any("least" in axis.get_title() for axis in drawn.axes)


def test_an_ablation_leaves_out_a_column_that_is_of_other_bases(
    tables: dict[str, pd.DataFrame],
) -> None:
    accuracy = tables["accuracy"].query("evaluation != 'fgsm' or eps == 0")
    drawn = ablation(tables | {"accuracy": accuracy}, "fraction")
    titles = [axis.get_title() for axis in drawn.axes if axis.get_visible()]
    assert len(titles) == 3
    assert not any("fgsm" in title for title in titles)


def test_an_ablation_of_what_a_defence_does_not_have(tables: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(UserError, match="defence 'topk_50' has no pattern N:M"):
        ablation(tables, "pattern")


def places(drawn: Figure) -> list[float]:
    return [
        float(line.get_xdata()[0]) for line in drawn.axes[0].lines if len(line.get_xdata()) == 1
    ]


def test_defences_of_equal_bitops_stand_side_by_side(tables: dict[str, pd.DataFrame]) -> None:
    """Their markers do not hide each other, and their mean is where they belong."""
    function = plugins.load("figure", "robustness_vs_bitops")
    drawn = function(tables["accuracy"], tables["reductions"], GIVEN["tables"], column="pgd_20")
    counted = places(drawn)[1::2]  # the marks with overheads
    assert len(counted) == 3
    gaps = np.diff(sorted(counted))
    assert gaps == pytest.approx([3, 3])
    assert np.mean(counted) == pytest.approx(110)


def test_marks_on_the_border_are_whole(tables: dict[str, pd.DataFrame]) -> None:
    function = plugins.load("figure", "robustness_vs_bitops")
    none_left = tables["accuracy"].assign(accuracy=0.0, low=0.0, high=0.04)
    drawn = function(none_left, tables["reductions"], GIVEN["tables"], column="pgd_20")
    assert drawn.axes[0].get_ylim()[0] == 0
    marks = [line for line in drawn.axes[0].lines if len(line.get_xdata()) == 1]
    assert marks
    assert not any(mark.get_clip_on() for mark in marks)


def test_a_base_with_one_defence_has_nothing_to_trade_off(
    tables: dict[str, pd.DataFrame],
) -> None:
    function = plugins.load("figure", "robustness_vs_bitops")
    given = (tables["reductions"], GIVEN["tables"])
    drawn = function(tables["accuracy"], *given, column="pgd_20")
    titles = [axis.get_title() for axis in drawn.axes if axis.get_visible()]
    assert titles == ["base pgd_at, eps 8/255"] * 2
    alone = tables["accuracy"].query("defence == 'none'")
    assert len(function(alone, *given, column="pgd_20").axes) == 4


def test_marks_that_are_far_apart_stay() -> None:
    side_by_side = robustness_vs_bitops.side_by_side
    apart = {"a": 10.0, "b": 50.0, "c": 50.5, "d": 100.0, "e": 100.0, "f": 97.5}
    found = side_by_side(apart, 3)
    assert found["a"] == 10
    assert sorted(found.values())[1:3] == pytest.approx([48.75, 51.75])
    assert min(np.diff(sorted(found.values()))) >= 3 - 1e-9
    assert side_by_side({}, 3) == {}


def test_best_and_last_marks_each_seeds_best_epoch(tables: dict[str, pd.DataFrame]) -> None:
    drawn = plugins.load("figure", "best_and_last")(
        tables["accuracy"], tables["histories"], GIVEN["tables"], **STYLE["best_and_last"]
    )
    course, worth = drawn.axes[:2]
    assert [line.get_xdata()[0] for line in course.lines if len(line.get_xdata()) == 1] == [3, 3]
    labels = [text.get_text() for text in worth.get_yticklabels()]
    assert labels == [f"pgd_at\n{d}" for d in ("none", "topk_50", "nm_2_4")] + ["standard\nnone"]


def test_speedups_need_an_injection(tables: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(UserError, match="figure speedup: none injects nothing into pgd_at"):
        plugins.load("figure", "speedup")(
            speedups=tables["speedups"].query("defence != 'none'"),
            crossovers=tables["crossovers"], base="pgd_at", defence="none",
        )  # fmt: skip


def test_bars_are_of_the_networks_own_layers(tables: dict[str, pd.DataFrame]) -> None:
    """Not of another's, which may have other names for the same."""
    style = {"base": "pgd_at", "defences": ["topk_50"]}
    others = tables["operations"].replace({"defence": {"topk_50": "other"}})
    others = others.assign(layer=others["layer"] + ".inner")
    drawn = plugins.load("figure", "bitops_per_layer")(
        operations=pd.concat([others, tables["operations"]]),
        reductions=tables["reductions"],
        **style,
    )
    own = tables["operations"].query("base == 'pgd_at' and defence == 'topk_50'")["layer"]
    for axis in drawn.axes:
        assert len(axis.get_xticks()) == own.nunique()
