"""The main table and the figures, from small tables made here."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.results import figure_style
from nenni.results.main_table import display, main_table, to_latex

EPS = {"pgd_at": 8.0, "standard": 4.0}
COLUMNS = {"fgsm": "fgsm", "pgd_20": "pgd"}
DEFENCES = {"pgd_at": ["none", "topk_50", "nm_2_4"], "standard": ["none"]}
LAYERS = ["conv1", "conv2", "fc1"]


def rows(**columns: Any) -> list[dict[str, Any]]:
    return [
        {"base": base, "defence": defence, **columns}
        for base, defences in DEFENCES.items()
        for defence in defences
    ]


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    accuracy = [
        {**row, "evaluation": e, "eps": eps, "seed": seed, "n": 100, "seeds": 1,
         "accuracy": a, "deviation": 0.01, "low": a - 0.05, "high": a + 0.05}
        for row in rows() for e in ("fgsm", "pgd") for i, eps in enumerate((0.0, 4.0, 8.0))
        for seed in ("0", "1", "all") for a in [0.9 - 0.3 * i]
    ]  # fmt: skip
    reductions = [
        {**row, "seed": seed, "layer": layer, "baseline": b, "variant": v, "evaluated": b == "fp32",
         "dense_bitops": 1e6, "reduction_without": 0.4 if v == "as_evaluated" else 0.9,
         "reduction_with": -0.2 + 0.2 * seed}
        for row in rows() for seed in (0, 1) for layer in (*LAYERS, "total")
        for b in ("fp32", "fp16", "int8") for v in ("as_evaluated", "exact_at_baseline")
    ]  # fmt: skip
    latency = [
        {**row, "seed": 0, "layer": layer, "preset": p, "dense_fp32_s": 2e-5,
         "dense_fp16_s": 1e-5, "dense_int8_s": np.nan, "injected_s": 3e-5, "projection_s": 1e-5,
         "approximation_s": 1e-5, "selection_s": 0.5e-5, "exact_s": 0.5e-5, "bound": "memory"}
        for row in rows() for layer in (*LAYERS, "total") for p in ("cpu", "npu")
    ]  # fmt: skip
    operations = [
        {**row, "seed": 0, "layer": layer, "term": t, "bitops": 1e5, "macs": 1e3}
        for row in rows() for layer in LAYERS for t in ("exact", "projection", "approximation")
    ]  # fmt: skip
    errors = [
        {**row, "seed": 0, "layer": layer, "bin": b, "all": p, "injected": p}
        for row in rows() for layer in LAYERS
        for b, p in zip((-0.5, 0, 0.5), rng.dirichlet([3, 9, 3]), strict=True)
    ]  # fmt: skip
    fit = [
        {**row, "seed": 0, "layer": n, "recall": 0.8, "fraction": 0.5}
        for row in rows()
        for n in LAYERS
    ]
    sweep = [
        {"ratio": r, "fraction": f, "relative_error": 0.3 * r, "clean": 0.9, "robust": 0.5, "n": 9, "eps": 8}
        for r in (0.1, 0.2) for f in (0, 0.5, 1)
    ]  # fmt: skip
    attacks = ("clean", "pgd", "all attacks")
    suites = [
        {**row, "seed": 0, "suite": "full", "attack": a, "norm": norm, "eps": 8.0, "n": n,
         "accuracy": 0.5, "low": 0.4, "high": 0.6, "worst_draw": 0.5, "notes": ""}
        for row in rows() for norm in ("linf", "l2") for a, n in zip(attacks, (9, 9, 4), strict=True)
    ]  # fmt: skip
    diagnostics = [
        {**row, "seed": 0, "name": name, "value": 0.1, "threshold": 0.1, "verdict": verdict}
        for row in rows()
        for name, verdict in (("black box", "pass"), ("transfer", "fail"), ("noise", "note"))
    ]
    diagnostic_curves = [
        {**row, "seed": 0, "curve": curve, "x": x, "y": 0.5 * x}
        for row in rows() for curve in ("eps", "steps", "path") for x in (1, 2)
    ]  # fmt: skip
    cost = {"seed": 0, "preset": "cpu", "bits": 32}
    speedups = [
        {**row, **cost, "layer": layer, "fraction": f, "speedup": 1.5 - f}
        for row in rows() for layer in (*LAYERS, "total") for f in (0, 0.5, 1)
    ]  # fmt: skip
    crossovers = [
        {**row, **cost, "layer": layer, "dense_s": 1e-5, "injected_s": 1e-5, "speedup": 1.0,
         "fraction": fraction}
        for row in rows() for layer, fraction in zip((*LAYERS, "total"), (0.5, np.nan, 0.5), strict=False)
    ]  # fmt: skip
    rooflines = [
        {**row, **cost, "layer": layer, "phase": phase, "run_bits": 8, "macs_per_byte": x,
         "macs_per_s": 1e9 * x, "peak_macs_per_s": 5e9, "bandwidth_bytes_per_s": 2e9}
        for row in rows() for layer in LAYERS
        for phase, x in (("dense", 2.0), ("exact", 1.0), ("approximation", 0.5))
    ]  # fmt: skip
    named = {
        "speedups": speedups, "crossovers": crossovers, "rooflines": rooflines,
        "suites": suites, "diagnostics": diagnostics, "diagnostic_curves": diagnostic_curves,
        "accuracy": accuracy, "reductions": reductions, "latency": latency, "sweep": sweep,
        "operations": operations, "errors": errors, "fit": fit,
    }  # fmt: skip
    return {name: pd.DataFrame(content) for name, content in named.items()}


@pytest.fixture
def main(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return main_table(
        tables["accuracy"], tables["reductions"], tables["latency"], "pgd", COLUMNS, EPS
    )


def test_main_table_reads_each_base_at_its_eps(main: pd.DataFrame) -> None:
    table = main.set_index(["base", "defence"])
    assert len(table) == 4
    row = table.loc[("pgd_at", "topk_50")]
    assert row["clean"] == pytest.approx(0.9)
    assert row["pgd_20"] == pytest.approx(0.3)
    assert row["pgd_20_low"] == pytest.approx(0.25)
    assert row["pgd_20_seeds"] == "0:0.3000 1:0.3000"
    assert table.loc[("standard", "none"), "pgd_20"] == pytest.approx(0.6)
    assert row["bitops_int8_without"] == pytest.approx(0.4)
    assert row["bitops_fp32_with"] == pytest.approx(-0.1)
    assert row["latency_cpu"] == pytest.approx(1.5)


def test_main_table_for_the_eye_and_for_latex(main: pd.DataFrame) -> None:
    shown = display(main, list(COLUMNS))
    row = shown.iloc[1]
    assert row["pgd_20"] == "30.0% [25.0, 35.0]"
    assert row["BitOPs vs FP32"] == "-40% / +10%"
    assert row["vs INT8*"] == "-90% / +10%"
    assert row["time cpu"] == "1.50x"
    tex = to_latex(main, list(COLUMNS))
    assert r"topk\_50" in tex
    assert r"30.0\% [25.0, 35.0]" in tex
    assert tex.count(r"\\") == 5


STYLE: dict[str, dict[str, Any]] = {
    "accuracy_vs_eps": {"evaluation": "pgd"},
    "robustness_vs_bitops": {"column": "pgd_20"},
    "bitops_per_layer": {"base": "pgd_at", "defences": ["topk_50", "nm_2_4"]},
    "latency_per_layer": {"base": "pgd_at", "defence": "topk_50"},
    "speedup": {"base": "pgd_at", "defence": "topk_50"},
    "roofline": {"base": "pgd_at", "defence": "topk_50"},
    "injected_noise": {"base": "pgd_at", "defences": ["topk_50", "nm_2_4"]},
    "selection_recall": {"base": "pgd_at"},
    "attack_suite": {"suite": "full"},
    "diagnostic_curves": {"base": "pgd_at"},
    "diagnostic_checks": {"base": "pgd_at"},
}


@pytest.mark.parametrize("name", plugins.names("figure"))
def test_figures_draw_all_there_is_in_the_same_bytes(
    name: str, tables: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    figure_style.prepare()
    given: dict[str, Any] = {
        need: {"columns": COLUMNS, "eps": EPS} if need == "tables" else tables[need]
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
