"""Clean and robust accuracy against the noise intensity, swept after training on one base."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nenni.core.radius import shown
from nenni.core.types import Inches
from nenni.evaluation.statistics import wilson
from nenni.results.figure_style import grid, look

__all__ = ["noise_intensity"]


def noise_intensity(sweep: pd.DataFrame, *, width: Inches = 7.2, height: Inches = 3.0) -> Figure:
    """Draw accuracy against the fraction of essential neurons, a line per projection ratio.

    Bars are 95 % intervals over images (Wilson): all points share the images, so that the
    differences of two are surer than the bars.

    Parameters
    ----------
    sweep : DataFrame
        Columns ratio, fraction, relative_error, clean, robust, n, attack, norm, eps.
    width, height : float
        Inches, of the figure and of a panel.
    """
    labels = {ratio: f"{ratio:g}" for ratio in sweep["ratio"].unique()}
    styles = look(list(labels.values()))
    figure, axes = grid(2, width, height, columns=2)
    radius = shown(sweep["eps"].iloc[0], sweep["norm"].iloc[0])
    titles = {"clean": "clean", "robust": f"{sweep['attack'].iloc[0]}, eps {radius}"}
    for axis, (column, title) in zip(axes, titles.items(), strict=True):
        for ratio, rows in sweep.groupby("ratio"):
            label = labels[ratio]
            y, correct = 100 * rows[column], rows[column] * rows["n"]
            low, high = zip(*map(wilson, correct, rows["n"]), strict=True)
            sides = (y - 100 * np.array(low), 100 * np.array(high) - y)
            axis.errorbar(rows["fraction"], y, yerr=sides, label=label, **styles[label])
        axis.set_title(f"{title} (n = {sweep['n'].iloc[0]})")
        axis.set_xlabel("fraction of essential neurons")
        axis.set_ylabel("accuracy (%)")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", title="ratio k/d", handlelength=3)
    return figure
