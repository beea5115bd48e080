"""Methods beside their controls: paired differences, a panel per measure."""

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.radius import shown
from nenni.core.types import Inches, Name
from nenni.results.figure_style import grid, look, named

__all__ = ["controls"]

_ROW, _AROUND = 0.19, 1.1
"""Inches of a row, and of what is above and below all rows of a panel."""


def controls(
    controls: pd.DataFrame, *, base: Name, width: Inches = 7.2, height: Inches = 2.8
) -> Figure:
    """Draw each method's accuracy less each control's, with its 95 % interval.

    Right of the line the method is better. The numbers beside a panel are both accuracies in %.

    Parameters
    ----------
    controls : DataFrame
        From :func:`nenni.results.controls.controls_table`.
    base : str
        Which base.
    width, height : float
        Inches, of the figure and of a panel.
    """
    here = controls[controls["base"] == base]
    methods = list(dict.fromkeys(here["defence"]))
    order = {name: i for i, name in enumerate(dict.fromkeys(here["control"]))}
    pairs = sorted(
        {*zip(here["control"], here["defence"], strict=True)},
        key=lambda pair: (order[pair[0]], methods.index(pair[1])),
    )
    places = {pair: -i for i, pair in enumerate(pairs)}
    styles, measures = look(methods), list(dict.fromkeys(here["measure"]))
    figure, axes = grid(len(measures), width, max(height, _ROW * len(pairs) + _AROUND))
    for axis, measure in zip(axes, measures, strict=True):
        rows = here[here["measure"] == measure]
        for method, mine in rows.groupby("defence", sort=False):
            style = {**styles[str(method)], "linestyle": "none"}
            y = [places[control, method] for control in mine["control"]]
            x, low, high = (100 * mine[name] for name in ("difference", "low", "high"))
            spread = (x - low).clip(lower=0), (high - x).clip(lower=0)
            axis.errorbar(x, y, xerr=spread, label=str(method), elinewidth=0.9, **style)
            both = zip(mine["accuracy"], mine["control_accuracy"], y, strict=True)
            for accuracy, other, place in both:
                axis.text(
                    1.02, place, f"{100 * accuracy:.1f} vs {100 * other:.1f}", va="center",
                    transform=axis.get_yaxis_transform(), fontsize=6, color="0.35",
                )  # fmt: skip
        axis.axvline(0, color="black", lw=0.8)
        axis.set_ylim(0.5 - len(pairs), 0.5)
        first = axis in axes[::3]
        axis.set_yticks(list(places.values()), [c if first else "" for c, _ in pairs])
        axis.set_ylabel("control" if first else " ")
        axis.set_xlabel("points above the control")
        axis.set_title(_title(measure, rows.iloc[0]))
    figure.legend(*named(axes), loc="outside lower center", ncols=4, title=f"base {base}")
    return figure


def _title(measure: str, row: "pd.Series") -> str:
    images = f"n = {row['n']}"
    if not row["eps"]:
        return f"{measure}\n({images})"
    return f"{measure}\n(eps {shown(row['eps'], row['norm'])}, {images})"
