"""Speed-up over dense against the share of essential neurons, its crossover marked."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from nenni.core.errors import UserError
from nenni.core.types import Inches, Name
from nenni.results.figure_style import grid, say

__all__ = ["speedup"]


def speedup(
    speedups: pd.DataFrame,
    crossovers: pd.DataFrame,
    *,
    base: Name,
    defence: Name,
    width: Inches = 7.2,
    height: Inches = 2.6,
) -> Figure:
    """Draw a line per layer for each platform, at the bits that were evaluated.

    A dot marks the share up to which a layer is faster than dense at the same bits; a layer without
    one never is, or always. A layer whose masks have one share, as N:M, is a square. A platform
    that cannot run the network has an empty panel that says so.

    Parameters
    ----------
    speedups, crossovers : DataFrame
        The cost model's tables of all experiments.
    base, defence : str
        Which experiment; its first seed.
    width, height : float
        Inches, of the figure and of a panel.

    Raises
    ------
    UserError
        If the defence injects nothing.
    """
    lines, marks = (_one(table, base, defence) for table in (speedups, crossovers))
    if lines.empty:
        raise UserError(f"figure speedup: {defence} injects nothing into {base}; name another")
    presets = list(dict.fromkeys(lines["preset"]))
    figure, axes = grid(len(presets), width, height, columns=2)
    for axis, preset in zip(axes, presets, strict=True):
        here = lines[lines["preset"] == preset]
        bits = here["bits"].iloc[0]
        axis.set_title(f"{preset}, exact path at {bits} bits")
        here = here.dropna(subset="speedup")
        if here.empty:
            say(axis, "the platform cannot run it")
            continue
        layers = [name for name in dict.fromkeys(here["layer"]) if name != "total"]
        for i, (layer, group) in enumerate(here.groupby("layer", sort=False)):
            depth = 0.75 * i / max(1, len(layers) - 1)
            total = layer == "total"
            colour = "#D55E00" if total else str(0.75 - depth)
            axis.plot(group["fraction"], group["speedup"], color=colour, lw=2 if total else 1,
                      marker="s" if len(group) == 1 else "", zorder=3 if total else 2)  # fmt: skip
        found = marks[(marks["preset"] == preset) & (marks["bits"] == bits)].dropna()
        found = found[found["fraction"].between(0.001, 0.999)]
        colours = ["#D55E00" if name == "total" else "black" for name in found["layer"]]
        axis.scatter(found["fraction"], [1] * len(found), c=colours, s=16, zorder=4)
        axis.axhline(1, color="black", lw=0.8, ls="--")
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.set_xlim(-0.03, 1.03)
        axis.set_xlabel("share of essential neurons")
        axis.set_ylabel("speed-up over dense")
    handles = [
        Line2D([], [], color="0.75", lw=1), Line2D([], [], color="0.0", lw=1),
        Line2D([], [], color="#D55E00", lw=2), Line2D([], [], color="black", marker="o", ls=""),
    ]  # fmt: skip
    labels = ["first layer", "last layer", "network", "crossover"]
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.suptitle(f"{defence} on {base}", fontsize=9)
    return figure


def _one(table: pd.DataFrame, base: Name, defence: str) -> pd.DataFrame:
    here = table[(table["base"] == base) & (table["defence"] == defence)]
    return here[here["seed"] == here["seed"].min()]
