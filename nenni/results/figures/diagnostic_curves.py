"""Curves that show masked gradients: accuracy against eps and steps, margin along the path."""

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.types import Inches, Name
from nenni.results.figure_style import LINF_AXIS, grid, look, named

__all__ = ["diagnostic_curves"]

_PANELS = (
    ("eps", "PGD against eps", *LINF_AXIS, "accuracy (%)", 100),
    ("steps", "PGD against steps", "number of steps", 1, "accuracy (%)", 100),
    ("path", "margin along one run", "step", 1, "mean margin (logits)", 1),
)
"""Curve, title, and the label of each axis with a factor on its numbers."""


def diagnostic_curves(
    diagnostic_curves: pd.DataFrame, *, base: Name, width: Inches = 7.2, height: Inches = 2.6
) -> Figure:
    """Draw the three curves of each diagnosed network of a base.

    Parameters
    ----------
    diagnostic_curves : DataFrame
        The curves of :func:`nenni.evaluation.diagnose.diagnose`, of all experiments.
    base : str
        Which base.
    width, height : float
        Inches, of the figure and of a panel.
    """
    here = diagnostic_curves[diagnostic_curves["base"] == base]
    styles = look(list(dict.fromkeys(here["defence"])))
    figure, axes = grid(len(_PANELS), width, height)
    for axis, (curve, title, x_label, x_factor, y_label, y_factor) in zip(
        axes, _PANELS, strict=True
    ):
        rows = here[here["curve"] == curve]
        for (defence, _), mine in rows.groupby(["defence", "seed"], sort=False):
            mine = mine.sort_values("x")
            style = styles[str(defence)] | ({"marker": ""} if curve == "path" else {})
            axis.plot(
                x_factor * mine["x"], y_factor * mine["y"], label=defence, markersize=4, **style
            )
        axis.set_title(title)
        axis.set_xlabel(x_label)
        axis.set_ylabel(y_label)
        if y_factor == 100:
            axis.set_ylim(-2, 102)
    axes[1].set_xscale("log")
    figure.legend(*named(axes), loc="outside lower center", ncols=4)
    return figure
