"""Accuracy under every attack of a suite, and under all of them."""

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.radius import shown
from nenni.core.types import Inches, Name
from nenni.evaluation.scoring import WORST
from nenni.results.accuracy import ALL
from nenni.results.figure_style import grid, look, named

__all__ = ["attack_suite"]

_A_MARK = 0.07
"""Inches of height that a mark needs."""


def attack_suite(
    suites: pd.DataFrame, *, suite: Name, width: Inches = 7.2, height: Inches = 4.6
) -> Figure:
    """Draw a marker per attack and defence, over all seeds, with its interval.

    A panel per base and norm. A stroke stands where the worst point that the attack tried counts,
    not the last.

    Parameters
    ----------
    suites : DataFrame
        From the stage ``suites``.
    suite : str
        Which suite.
    width, height : float
        Inches, of the figure and of a panel, which is higher where its marks need it.
    """
    here = suites[(suites["suite"] == suite) & (suites["seed"] == ALL)]
    styles = look(list(dict.fromkeys(here["defence"])))
    panels = list(here.groupby(["base", "norm"], sort=False))
    marks = max(rows["attack"].nunique() * rows["defence"].nunique() for _, rows in panels)
    figure, axes = grid(len(panels), width, max(height, _A_MARK * marks), columns=2)
    for axis, ((base, norm), rows) in zip(axes, panels, strict=True):
        most = rows["n"].max()
        titles = [
            attack if n == most else f"{attack} (n = {n})"
            for attack, n in zip(rows["attack"], rows["n"], strict=True)
        ]
        rows = rows.assign(title=titles)
        ordered = sorted(dict.fromkeys(titles), key=lambda title: title.startswith(WORST))
        places = {title: -i for i, title in enumerate(ordered)}
        for i, (defence, mine) in enumerate(rows.groupby("defence", sort=False)):
            style = styles[str(defence)] | {"linestyle": "none"}
            n = rows["defence"].nunique()
            shift = (i - (n - 1) / 2) * -min(0.16, 0.8 / n)
            spread = 100 * (mine["accuracy"] - mine["low"]), 100 * (mine["high"] - mine["accuracy"])
            axis.errorbar(
                100 * mine["accuracy"], [places[t] + shift for t in mine["title"]], xerr=spread,
                elinewidth=0.8, markersize=4, label=str(defence), **style,
            )  # fmt: skip
            axis.plot(
                100 * mine["any_iterate"], [places[t] + shift for t in mine["title"]],
                markersize=7, markeredgewidth=1.2, **style | {"marker": "|"},
            )  # fmt: skip
        axis.set_yticks(list(places.values()), list(places))
        axis.set_xlim(-2, 102)
        axis.set_xlabel("accuracy (%)\nmarker: last, stroke: worst tried")
        axis.set_ylabel("attack")
        eps = rows["eps"].max()
        radius = f"{'L∞' if norm == 'linf' else 'L2'}, eps {shown(eps, norm)}"
        axis.set_title(f"base {base}\n{radius} (n = {most})")
    figure.legend(*named(axes), loc="outside lower center", ncols=4)
    return figure
