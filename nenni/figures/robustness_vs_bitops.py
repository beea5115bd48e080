"""Robust accuracy against BitOPs: the paper's trade-off, with and without the overheads."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nenni.accuracy import ALL
from nenni.figures._style import grid, look

__all__ = ["robustness_vs_bitops"]


def robustness_vs_bitops(
    accuracy: pd.DataFrame,
    reductions: pd.DataFrame,
    tables: dict[str, Any],
    *,
    column: str,
    baseline: str = "fp32",
    width: float = 7.2,
    height: float = 3.4,
) -> Figure:
    """Draw each defence twice: BitOPs as papers count them, and with projection and selection.

    Parameters
    ----------
    accuracy, reductions : DataFrame
        Of all experiments.
    tables : dict
        Config of the main table: which evaluation and radius a column stands for.
    column : str
        Column of the main table for the vertical axis.
    baseline : str
        Precision of the dense network that counts as 100 %.
    width, height : float
        Inches, of the figure and of a panel.
    """
    chosen = accuracy[
        (accuracy["evaluation"] == tables["columns"][column])
        & (accuracy["eps"] == accuracy["base"].map(tables["eps"]))
        & (accuracy["seed"] == ALL)
    ]
    total = reductions[
        (reductions["layer"] == "total")
        & (reductions["baseline"] == baseline)
        & (reductions["variant"] == "as_evaluated")
    ]
    cost = total.groupby(["base", "defence"])[["reduction_without", "reduction_with"]].mean()
    bases = list(dict.fromkeys(chosen["base"]))
    styles = look(list(dict.fromkeys(chosen["defence"])))
    figure, axes = grid(len(bases), width, height, columns=2)
    for axis, base in zip(axes, bases, strict=True):
        for _, row in chosen[chosen["base"] == base].iterrows():
            style = {k: v for k, v in styles[row["defence"]].items() if k != "linestyle"}
            y = 100 * row["accuracy"]
            without, full = (100 * (1 - r) for r in cost.loc[(base, row["defence"])])
            error = [[y - 100 * row["low"]], [100 * row["high"] - y]]
            axis.plot([without, full], [y, y], color=style["color"], lw=0.7, alpha=0.6)
            axis.plot(without, y, fillstyle="none", linestyle="none", **style)
            axis.errorbar(full, y, yerr=error, linestyle="none", elinewidth=0.8, **style)
        axis.axvline(100, color="0.4", lw=0.8, ls=":")
        axis.set_title(f"base {base}, eps {tables['eps'][base]:g}/255")
        axis.set_xlabel(f"BitOPs (% of dense {baseline.upper()})")
        axis.set_ylabel(f"accuracy under {column} (%)")
        axis.set_xlim(left=0)
    handles = [
        Line2D([], [], linestyle="none", color=s["color"], marker=s["marker"], label=name)
        for name, s in styles.items()
    ]
    grey: dict[str, Any] = {"linestyle": "none", "color": "0.4", "marker": "o"}
    handles += [
        Line2D([], [], fillstyle="none", label="overheads left out", **grey),
        Line2D([], [], label="overheads counted", **grey),
    ]
    figure.legend(handles=handles, loc="outside right upper", title="defence")
    return figure
