"""The layers under the roofs of each platform: what bounds them, dense and injected."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nenni.core.types import Inches, Name
from nenni.results.figure_style import COLOURS, MARKERS, grid, named, say

__all__ = ["roofline"]

_PHASES = ("dense", "exact", "approximation", "projection")


def roofline(
    rooflines: pd.DataFrame, *, base: Name, defence: Name, width: Inches = 7.2, height: Inches = 3.0
) -> Figure:
    """Draw a panel per platform: rate against intensity, a point per layer and product.

    Points lie below the roofs by the overhead of a phase. Platforms that lack the network's
    precision have no panel.

    Parameters
    ----------
    rooflines : DataFrame
        The cost model's table of all experiments.
    base, defence : str
        Which experiment; its first seed.
    width, height : float
        Inches, of the figure and of a panel.
    """
    here = rooflines[(rooflines["base"] == base) & (rooflines["defence"] == defence)]
    here = here[here["seed"] == here["seed"].min()]
    presets = list(dict.fromkeys(here["preset"]))
    figure, axes = grid(max(1, len(presets)), width, height, columns=2)
    if not presets:
        say(axes[0], f"{defence} on {base}: no platform of this run has its precision")
        return figure
    for axis, preset in zip(axes, presets, strict=True):
        points = here[here["preset"] == preset]
        x = points["macs_per_byte"]
        span = np.geomspace(x.min() / 2, x.max() * 2, 100)
        bandwidth = points["bandwidth_bytes_per_s"].iloc[0]
        for bits, peak in points.groupby("run_bits")["peak_macs_per_s"].first().items():
            roof = np.minimum(peak, bandwidth * span)
            axis.plot(span, roof / 1e9, color="#8C8C8C", lw=1, zorder=1)
            axis.annotate(f"{bits} bits", (span[-1], roof[-1] / 1e9), fontsize=7, ha="right",
                          va="bottom")  # fmt: skip
        for i, phase in enumerate(_PHASES):
            group = points[points["phase"] == phase]
            axis.scatter(
                group["macs_per_byte"], group["macs_per_s"] / 1e9, s=14, color=COLOURS[i],
                marker=MARKERS[i], label=phase, zorder=2,
            )  # fmt: skip
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(f"{preset}: {defence} on {base}")
        axis.set_xlabel("multiply-accumulates per byte")
        axis.set_ylabel("10$^9$ multiply-accumulates per s")
    figure.legend(*named(axes), loc="outside lower center", ncols=4)
    return figure
