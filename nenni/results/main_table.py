"""The main table: what each defence does to accuracy and to cost."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from nenni.core import radius
from nenni.core.types import Norm
from nenni.results.accuracy import ALL, ANY, per_seed
from nenni.results.main_columns import (
    BASELINES,
    CLEAN,
    LATENCY,
    WHERE,
    of_accuracy,
    of_bitops,
    of_latency,
)

BITOPS_SHOWN = (
    ("fp32", "", "BitOPs vs FP32"),
    ("int8", "", "vs INT8"),
    ("int8", "_assumed", "vs INT8*"),
)
"""Baseline, variant and title of the columns that :func:`display` shows."""
LEGEND = (
    "Accuracy [95 % interval over seeds and images; of one seed over images only].",
    "Change in BitOPs without / with projection and selection;",
    "* exact path counted at INT8, at which it was not evaluated. Time: modelled, over dense FP32.",
)


def main_table(
    accuracy: pd.DataFrame,
    reductions: pd.DataFrame,
    latency: pd.DataFrame,
    clean: str,
    columns: dict[str, str],
    eps: dict[str, float],
    norm: Norm,
) -> pd.DataFrame:
    """Join accuracies, BitOPs reductions and latencies, one row per base and defence.

    Parameters
    ----------
    accuracy : DataFrame
        From :func:`nenni.results.accuracy.accuracy_table`.
    reductions, latency : DataFrame
        The cost model's tables of all experiments.
    clean : str
        Evaluation whose clean images are counted.
    columns : dict
        Title of an attack's columns -> evaluation.
    eps : dict
        Base -> radius at which the columns are read, in units of the input.
    norm : "linf" or "l2"
        What it bounds.

    Returns
    -------
    DataFrame
        For ``clean``, each title, and each with " any", where the worst point that the attack tried
        counts: mean, deviation, interval (``_low``, ``_high``) and every seed's value;
        ``bitops_<baseline>_without`` and ``_with`` overheads, the reduction as
        evaluated; the same with ``_assumed`` where the exact path is counted at the baseline's
        bits, at which it was not evaluated; ``latency_<preset>``, injected over dense at FP32 (1
        is no change; FP16 where the platform has no FP32).
    """
    rows = []
    for base, defence in _pairs(accuracy):
        chosen = accuracy[(accuracy["base"] == base) & (accuracy["defence"] == defence)]
        row: dict[str, Any] = dict(zip(WHERE, (base, defence, norm, eps[base]), strict=True))
        readings = {CLEAN: (clean, 0.0)}
        for title, name in columns.items():
            readings |= {title: (name, eps[base]), title + ANY: (name + ANY, eps[base])}
        for title, (evaluation, read_at) in readings.items():
            at = chosen[(chosen["evaluation"] == evaluation) & (chosen["eps"] == read_at)]
            row |= _accuracy_cells(title, at)
        here = (reductions["base"] == base) & (reductions["defence"] == defence)
        row |= _reduction_cells(reductions[here])
        here = (latency["base"] == base) & (latency["defence"] == defence)
        row |= _latency_cells(latency[here])
        rows.append(row)
    return pd.DataFrame(rows)


def _accuracy_cells(title: str, at: pd.DataFrame) -> dict[str, Any]:
    if at.empty:
        return {}
    pooled = at[at["seed"] == ALL].iloc[0]
    single = at[at["seed"] != ALL]
    interval = pooled["deviation"], pooled["low"], pooled["high"]
    values = per_seed(single["seed"], single["accuracy"])
    cells = (pooled["accuracy"], *interval, values, pooled["n"])
    return dict(zip(of_accuracy(title), cells, strict=True))


def _reduction_cells(table: pd.DataFrame) -> dict[str, float]:
    total = table[table["layer"] == "total"]
    mean = total.groupby(["baseline", "variant"])[["reduction_without", "reduction_with"]].mean()
    cells = {}
    for baseline in BASELINES:
        for variant, suffix in (("as_evaluated", ""), ("exact_at_baseline", "_assumed")):
            for part in ("without", "with"):
                value = float(mean.loc[(baseline, variant), f"reduction_{part}"])
                cells[of_bitops(baseline, part, suffix)] = value
    return cells


def _latency_cells(table: pd.DataFrame) -> dict[str, float]:
    total = table[table["layer"] == "total"]
    cells = {}
    for preset, rows in total.groupby("preset", sort=False):
        dense = rows["dense_fp32_s"].fillna(rows["dense_fp16_s"])
        cells[of_latency(str(preset))] = float((rows["injected_s"] / dense).mean())
    return cells


def _pairs(table: pd.DataFrame) -> Iterable[tuple[str, str]]:
    return [(str(b), str(d)) for b, d in table[["base", "defence"]].drop_duplicates().to_numpy()]


def display(table: pd.DataFrame, titles: list[str]) -> pd.DataFrame:
    """The main table for the eye: percentages with intervals, one short column each."""

    def percent(row: "pd.Series[Any]", title: str) -> str:
        if pd.isna(row.get(title)):
            return "-"
        _, _, low, high, *_ = row[of_accuracy(title)]
        return f"{row[title]:.1%} [{low * 100:.1f}, {high * 100:.1f}]"

    shown = table[["base", "defence"]].copy()
    shown["eps"] = [
        radius.shown(eps, norm) for eps, norm in zip(table["eps"], table["norm"], strict=True)
    ]
    for title in (CLEAN, *titles):
        shown[title] = [percent(row, title) for _, row in table.iterrows()]
    for baseline, suffix, label in BITOPS_SHOWN:
        pairs = zip(
            table[of_bitops(baseline, "without", suffix)],
            table[of_bitops(baseline, "with", suffix)],
            strict=True,
        )
        shown[label] = [f"{_change(without)} / {_change(full)}" for without, full in pairs]
    for column in table.columns[table.columns.str.startswith(LATENCY)]:
        shown[column.replace(LATENCY, "time ")] = [_times(ratio) for ratio in table[column]]
    return shown


def _times(ratio: float) -> str:
    return "-" if pd.isna(ratio) else f"{ratio:.2f}x"


def _change(reduction: float) -> str:
    return f"{-100 * reduction:+.0f}%" if abs(reduction) >= 0.005 else "0%"
