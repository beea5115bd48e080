"""What is left of a randomised network where the attacker may try again."""

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.types import Inches, Name
from nenni.results.accuracy import ALL
from nenni.results.figure_style import grid, look, named, say

__all__ = ["persistent_attacker"]


def persistent_attacker(
    persistence: pd.DataFrame, *, suite: Name, width: Inches = 7.2, height: Inches = 3.4
) -> Figure:
    """Draw accuracy over all seeds against the number of tries, a panel per base and norm.

    Parameters
    ----------
    persistence : DataFrame
        From the stage ``suites``.
    suite : str
        Which suite.
    width, height : float
        Inches, of the figure and of a panel.
    """
    here = persistence[(persistence["suite"] == suite) & (persistence["seed"] == ALL)]
    panels = list(here.groupby(["base", "norm"], sort=False))
    figure, axes = grid(max(1, len(panels)), width, height, columns=2)
    if not panels:
        say(axes[0], "no network of the suite is randomised")
    styles = look(list(dict.fromkeys(here["defence"])))
    for axis, ((base, norm), rows) in zip(axes, panels, strict=False):
        for defence, mine in rows.groupby("defence", sort=False):
            axis.plot(mine["tries"], 100 * mine["accuracy"], label=str(defence),
                      **styles[str(defence)])  # fmt: skip
            axis.fill_between(mine["tries"], 100 * mine["low"], 100 * mine["high"], alpha=0.15,
                              color=styles[str(defence)]["color"], linewidth=0)  # fmt: skip
        axis.set_xscale("log")
        axis.set_xticks(sorted(set(rows["tries"])), [str(t) for t in sorted(set(rows["tries"]))])
        axis.minorticks_off()
        axis.set_ylim(-2, 102)
        axis.set_xlabel("tries at the worst point of each image")
        axis.set_ylabel("accuracy (%)")
        bound = "L∞" if norm == "linf" else "L2"
        axis.set_title(f"base {base}, {bound} (n = {rows['n'].max()})")
    figure.legend(*named(axes), loc="outside lower center", ncols=4)
    return figure
