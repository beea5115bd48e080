"""Robust accuracy against BitOPs: the paper's trade-off, with and without the overheads."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nenni.core.radius import shown
from nenni.core.types import Inches, Name
from nenni.results.accuracy import ALL
from nenni.results.figure_style import grid, look

__all__ = ["robustness_vs_bitops"]

_VARIANTS = (
    ("fp32", "as_evaluated", "BitOPs (% of dense FP32)"),
    ("int8", "exact_at_baseline", "BitOPs if exact in INT8 (% of dense INT8)"),
)
_WIDEST = 12.0
"""Percentage points that marks which would lie on one another are spread over."""


def robustness_vs_bitops(
    accuracy: pd.DataFrame,
    reductions: pd.DataFrame,
    tables: dict[str, Any],
    *,
    column: Name,
    width: Inches = 7.2,
    height: Inches = 2.8,
) -> Figure:
    """Draw each defence twice: BitOPs as papers count them, and with projection and selection.

    A row for each base that has more than one. Left the exact path counts as it was evaluated,
    against dense FP32; right at INT8, at which it was not evaluated, against dense INT8. Defences
    whose BitOPs are nearly equal stand side by side around their mean.

    Parameters
    ----------
    accuracy, reductions : DataFrame
        Of all experiments.
    tables : dict
        Config of the main table: which evaluation and radius a column stands for.
    column : str
        Column of the main table for the vertical axis.
    width, height : float
        Inches, of the figure and of a panel.
    """
    chosen = accuracy[
        (accuracy["evaluation"] == tables["columns"][column])
        & (accuracy["eps"] == accuracy["base"].map(tables["eps"]))
        & (accuracy["seed"] == ALL)
    ]
    several = chosen.groupby("base")["defence"].transform("size") > 1
    chosen = chosen[several] if several.any() else chosen
    bases = list(dict.fromkeys(chosen["base"]))
    styles = look(list(dict.fromkeys(chosen["defence"])))
    figure, axes = grid(2 * len(bases), width, height, columns=2)
    panels = [(base, variant) for base in bases for variant in _VARIANTS]
    for axis, (base, (baseline, variant, label)) in zip(axes, panels, strict=True):
        total = reductions[
            (reductions["layer"] == "total")
            & (reductions["baseline"] == baseline)
            & (reductions["variant"] == variant)
        ]
        cost = total.groupby(["base", "defence"])[["reduction_without", "reduction_with"]].mean()
        here = chosen[chosen["base"] == base].set_index("defence")
        shares = 100 * (1 - cost.loc[base].loc[here.index])
        apart = max(1.0, min(3.0, _WIDEST / len(here)))
        moved = side_by_side(shares["reduction_with"].to_dict(), apart)
        for defence, row in here.iterrows():
            without, full = shares.loc[defence]
            by = moved[str(defence)] - full
            _point(axis, row, without + by, full + by, styles[str(defence)])
        axis.axvline(100, color="0.4", lw=0.8, ls=":")
        axis.set_title(f"base {base}, eps {shown(tables['eps'][base], tables['norm'])}")
        axis.set_xlabel(label)
        axis.set_ylabel(f"accuracy under {column} (%)")
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=max(0, axis.get_ylim()[0]))
    handles = [
        Line2D([], [], linestyle="none", color=s["color"], marker=s["marker"], label=name)
        for name, s in styles.items()
    ]
    grey: dict[str, Any] = {"linestyle": "none", "color": "0.4", "marker": "o"}
    handles += [
        Line2D([], [], fillstyle="none", label="overheads left out", **grey),
        Line2D([], [], label="overheads counted", **grey),
        Line2D([], [], linestyle="none", label="side by side:\nnearly equal BitOPs"),
    ]
    figure.legend(handles=handles, loc="outside right upper", title="defence")
    return figure


def _point(
    axis: Any, row: "pd.Series[Any]", without: float, full: float, style: dict[str, Any]
) -> None:
    style = {key: value for key, value in style.items() if key != "linestyle"}
    y = 100 * row["accuracy"]
    error = [[y - 100 * row["low"]], [100 * row["high"] - y]]
    axis.plot([without, full], [y, y], color=style["color"], lw=0.7, alpha=0.6)
    whole = style | {"linestyle": "none", "clip_on": False}  # marks on the border too
    axis.plot(without, y, fillstyle="none", **whole)
    axis.errorbar(full, y, yerr=error, elinewidth=0.8, **whole)


def side_by_side(places: dict[str, float], apart: float) -> dict[str, float]:
    """Places at least `apart` from each other: those that are nearer stand around their mean."""
    groups: list[list[str]] = []

    def mean(group: list[str]) -> float:
        return sum(places[name] for name in group) / len(group)

    for name in sorted(places, key=lambda name: places[name]):
        groups.append([name])
        while len(groups) > 1:
            left, right = groups[-2:]
            if mean(right) - mean(left) >= apart * (len(left) + len(right)) / 2:
                break
            groups[-2:] = [left + right]
    return {
        name: mean(group) + apart * (i - (len(group) - 1) / 2)
        for group in groups
        for i, name in enumerate(group)
    }
