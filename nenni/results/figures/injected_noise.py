"""Distribution of z~ - z per layer: the noise that is really injected."""

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.types import Inches, Name, Several
from nenni.results.figure_style import grid, look

__all__ = ["injected_noise"]


def injected_noise(
    errors: pd.DataFrame,
    *,
    base: Name,
    defences: Several[Name],
    width: Inches = 7.2,
    height: Inches = 2.3,
) -> Figure:
    """Draw the density of z~ - z on the non-essential neurons, a panel per layer.

    Parameters
    ----------
    errors : DataFrame
        From :func:`nenni.method.report.error_histogram`, of all experiments.
    base : str
        Which base.
    defences : list of str
        A line each, and one for all neurons of the first.
    width, height : float
        Inches, of the figure and of a panel.
    """
    here = errors[(errors["base"] == base) & errors["defence"].isin(defences)]
    layers = list(dict.fromkeys(here["layer"]))
    every = f"all, {defences[0]}"
    labels = {name: f"non-essential, {name}" for name in defences}
    styles = look([every, *labels.values()])
    figure, axes = grid(len(layers), width, height, columns=2)
    for axis, layer in zip(axes, layers, strict=True):
        density = (
            here[here["layer"] == layer].groupby(["defence", "bin"])[["all", "injected"]].mean()
        )
        bins = density.loc[defences[0]].index.to_numpy()
        step = bins[1] - bins[0]
        lines = {every: density.loc[defences[0], "all"]}
        lines |= {labels[name]: density.loc[name, "injected"] for name in defences}
        for label, values in lines.items():
            style = {k: v for k, v in styles[label].items() if k != "marker"}
            axis.plot(bins, values.to_numpy() / step, label=label, **style)
        axis.set_title(layer)
        axis.set_yscale("log")
        axis.set_xlabel("(z~ - z) / rms(z)")
        axis.set_ylabel("density")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside right upper",
        title="neurons",
        handlelength=3,
    )
    return figure
