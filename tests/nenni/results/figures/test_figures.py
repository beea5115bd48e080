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

STYLE: dict[str, dict[str, Any]] = {
    "accuracy_vs_eps": {"evaluation": "pgd"},
    "robustness_vs_bitops": {"column": "pgd_20"},
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
}


@pytest.mark.parametrize("name", plugins.names("figure"))
def test_figures_draw_all_there_is_in_the_same_bytes(
    name: str, tables: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    figure_style.prepare()
    given: dict[str, Any] = {
        need: {"columns": COLUMNS, "eps": EPS, "norm": "linf"} if need == "tables" else tables[need]
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


def test_speedups_need_an_injection(tables: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(UserError, match="figure speedup: none injects nothing into pgd_at"):
        plugins.load("figure", "speedup")(
            speedups=tables["speedups"].query("defence != 'none'"),
            crossovers=tables["crossovers"], base="pgd_at", defence="none",
        )  # fmt: skip
