"""Time against energy: the method, and what else could be done with the network."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter

from nenni.core.types import Inches, Name
from nenni.results.figure_style import grid, look, say

__all__ = ["alternatives"]

_METHOD = "this method"


def alternatives(
    verdicts: pd.DataFrame,
    *,
    base: Name,
    defence: Name,
    width: Inches = 7.2,
    height: Inches = 3.0,
) -> Figure:
    """Draw each way to run the network as a point in the box of its range, a panel per platform.

    Up and to the right is better; dense INT8 is where the lines cross. A box is what the constants
    of the platform and the technology leave open. Ways that a platform cannot run are left out.

    Parameters
    ----------
    verdicts : DataFrame
        The cost model's table of all experiments.
    base, defence : str
        Which experiment; its first seed.
    width, height : float
        Inches, of the figure and of a panel.
    """
    here = verdicts[(verdicts["base"] == base) & (verdicts["defence"] == defence)]
    here = here[(here["seed"] == here["seed"].min()) & (here["way"] != "dense INT8")]
    presets = list(dict.fromkeys(here["preset"]))
    ways = list(dict.fromkeys(here.dropna(subset=["speedup"])["way"]))
    styles = look(ways)
    figure, axes = grid(len(presets), width, height, columns=2)
    for axis, preset in zip(axes, presets, strict=True):
        axis.set_title(preset)
        axis.set_xlabel("times as fast as dense INT8")
        axis.set_ylabel("times less energy")
        shown = here[here["preset"] == preset].dropna(subset=["speedup"])
        if shown.empty:
            say(axis, "the platform cannot run it")
            continue
        for row in shown.to_dict("records"):
            _draw(axis, row, styles[row["way"]])
        axis.axvline(1, color="black", lw=0.8, ls="--")
        axis.axhline(1, color="black", lw=0.8, ls="--")
        for scale in (axis.set_xscale, axis.set_yscale):
            scale("log")
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ticks.set_major_formatter("{x:g}")
            ticks.set_minor_formatter(NullFormatter())
        axis.margins(0.08)
    handles = [
        Line2D([], [], color=styles[way]["color"], marker=styles[way]["marker"], ls="", label=way)
        for way in ways
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    figure.suptitle(f"{defence} on {base}, against dense INT8", fontsize=9)
    return figure


def _draw(axis: Axes, row: dict[Any, Any], style: dict[str, Any]) -> None:
    """A point, and the box of its range."""
    x, left, right = (row[f"speedup{end}"] for end in ("", "_low", "_high"))
    y, bottom, top = (1 / (1 - row[f"energy_saved{end}"]) for end in ("", "_low", "_high"))
    is_method, colour = row["way"].startswith(_METHOD), style["color"]
    axis.add_patch(
        Rectangle(
            (left, bottom), right - left, top - bottom, facecolor=colour, edgecolor=colour,
            alpha=0.3 if is_method else 0.15, lw=1.5 if is_method else 0.8,
        )
    )  # fmt: skip
    axis.plot([x], [y], color=colour, marker=style["marker"], ls="", zorder=4 if is_method else 3)
