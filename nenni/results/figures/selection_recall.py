"""How well the selection, which sees z~ alone, finds the truly largest neurons."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nenni.core.types import Inches, Name
from nenni.results.figure_style import bar_style, grid, name_bars

__all__ = ["selection_recall"]


def selection_recall(
    fit: pd.DataFrame, *, base: Name, width: Inches = 7.2, height: Inches = 3.2
) -> Figure:
    """Draw recall per layer and defence, mean over the seeds, beside what chance would give.

    Parameters
    ----------
    fit : DataFrame
        From :func:`nenni.method.fit.report`, of all experiments.
    base : str
        Which base.
    width, height : float
        Inches.
    """
    here = fit[fit["base"] == base]
    layers = list(dict.fromkeys(here["layer"]))
    defences = list(dict.fromkeys(here["defence"]))
    mean = here.groupby(["defence", "layer"])[["recall", "fraction"]].mean()
    x = np.arange(len(layers))
    bar = 0.84 / len(defences)
    figure, (axis,) = grid(1, width, height)
    for i, defence in enumerate(defences):
        rows = mean.loc[defence].reindex(layers)
        place = x + (i - (len(defences) - 1) / 2) * bar
        axis.bar(place, 100 * rows["recall"], bar, label=defence, **bar_style(i))
        chance = 100 * rows["fraction"]
        for colour, thickness in (("white", 4), ("black", 2)):
            axis.hlines(chance, place - bar / 2, place + bar / 2, color=colour, lw=thickness)
    name_bars(axis, x, layers)
    axis.set_ylabel("truly largest neurons\nthat are selected (%)")
    axis.set_title(f"selection on z~, base {base}, before fine-tuning")
    axis.set_ylim(0, 100)
    axis.grid(visible=False, axis="x")
    handles, labels = axis.get_legend_handles_labels()
    handles.append(Line2D([], [], color="black", lw=2))
    labels.append("by chance")
    figure.legend(handles, labels, loc="outside lower center", ncols=4, title="defence")
    return figure
