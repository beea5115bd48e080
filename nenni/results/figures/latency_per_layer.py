"""Modelled latency per layer and preset: dense at three precisions beside the injected layer."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nenni.core.types import Inches, Name
from nenni.results.figure_style import bar_style, grid, name_bars, named

__all__ = ["latency_per_layer"]

_DENSE = {
    "dense_fp32_s": "dense FP32",
    "dense_fp16_s": "dense FP16",
    "dense_int8_s": "dense INT8",
    "dense_int4_s": "dense INT4",
}
_PHASES = ("exact", "approximation", "projection", "selection")


def latency_per_layer(
    latency: pd.DataFrame, *, base: Name, defence: Name, width: Inches = 7.2, height: Inches = 3.2
) -> Figure:
    """Draw the roofline model's times of one defence, mean over the seeds.

    Parameters
    ----------
    latency : DataFrame
        The cost model's latencies of all experiments.
    base, defence : str
        Which experiment.
    width, height : float
        Inches, of the figure and of a panel.
    """
    here = latency[(latency["base"] == base) & (latency["defence"] == defence)]
    presets = list(dict.fromkeys(here["preset"]))
    layers = [name for name in dict.fromkeys(here["layer"]) if name != "total"]
    x = np.arange(len(layers))
    figure, axes = grid(len(presets), width, height, columns=2)
    for axis, preset in zip(axes, presets, strict=True):
        numbers = here[here["preset"] == preset].drop(
            columns=["base", "defence", "preset", "bound"]
        )
        times = 1e6 * numbers.groupby("layer").mean().reindex(layers)
        shown = [column for column in _DENSE if column in times and times[column].notna().any()]
        bar = 0.8 / (len(shown) + 1)
        for i, column in enumerate(shown):
            axis.bar(x + (i - len(shown) / 2) * bar, times[column], bar, label=_DENSE[column],
                     color=str(0.35 + 0.2 * i), edgecolor="black", linewidth=0.4)  # fmt: skip
        bottom = np.zeros(len(layers))
        for i, phase in enumerate(_PHASES):
            values = times[f"{phase}_s"].fillna(0).to_numpy()
            place = x + len(shown) / 2 * bar
            label = f"injected: {phase}"
            axis.bar(place, values, bar, bottom, label=label, **bar_style(i + 1))
            bottom += values
        name_bars(axis, x, layers)
        axis.set_title(f"{preset}: {defence} on {base}")
        axis.set_ylabel("modelled time per image (µs)")
        axis.grid(visible=False, axis="x")
    figure.legend(*named(axes), loc="outside lower center", ncols=4)
    return figure
