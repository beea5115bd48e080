"""Accuracy against eps, a line per defence: the curve must fall, and reach 0."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.types import Inches, Name
from nenni.results.accuracy import ALL
from nenni.results.figure_style import LINF_AXIS, grid, look, named

__all__ = ["accuracy_vs_eps"]


def accuracy_vs_eps(
    accuracy: pd.DataFrame, *, evaluation: Name, width: Inches = 7.2, height: Inches = 3.2
) -> Figure:
    """Draw accuracy under one evaluation against its radii, a panel per base.

    Parameters
    ----------
    accuracy : DataFrame
        From :func:`nenni.results.accuracy.accuracy_table`.
    evaluation : str
        Evaluation with a grid of eps.
    width, height : float
        Inches, of the figure and of a panel.
    """
    chosen = accuracy[(accuracy["evaluation"] == evaluation) & (accuracy["seed"] == ALL)]
    bases = list(dict.fromkeys(chosen["base"]))
    is_l2 = (chosen["norm"] == "l2").all()
    label, factor = ("L2 radius eps", 1.0) if is_l2 else LINF_AXIS
    styles = look(list(dict.fromkeys(chosen["defence"])))
    figure, axes = grid(len(bases), width, height, columns=2)
    for axis, base in zip(axes, bases, strict=True):
        here = chosen[chosen["base"] == base]
        for defence, rows in here.groupby("defence", sort=False):
            rows = rows.sort_values("eps").assign(x=lambda r: factor * r["eps"])
            _line(axis, rows, styles[str(defence)], str(defence))
        axis.set_title(f"base {base} (n = {here['n'].iloc[0]})")
        axis.set_xlabel(label)
        axis.set_ylabel("accuracy (%)")
        axis.set_ylim(-2, 102)
        axis.set_xlim(left=0)
    figure.legend(*named(axes), loc="outside right upper", title="defence", handlelength=3)
    return figure


def _line(axis: Any, rows: pd.DataFrame, style: dict[str, Any], label: str) -> None:
    axis.plot(rows["x"], 100 * rows["accuracy"], label=label, markersize=4, **style)
    axis.fill_between(
        rows["x"], 100 * rows["low"], 100 * rows["high"], color=style["color"], alpha=0.08, lw=0
    )
