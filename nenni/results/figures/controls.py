"""Methods beside their controls: paired differences, a panel per measure."""

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.radius import shown
from nenni.core.types import Inches, Name
from nenni.results.figure_style import grid, look

__all__ = ["controls"]


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
    names = list(dict.fromkeys(here["control"]))
    methods = list(dict.fromkeys(here["defence"]))
    styles, shift = look(methods), 0.7 / len(methods)
    measures = list(dict.fromkeys(here["measure"]))
    figure, axes = grid(len(measures), width, height)
    for axis, measure in zip(axes, measures, strict=True):
        rows = here[here["measure"] == measure]
        for i, (method, mine) in enumerate(rows.groupby("defence", sort=False)):
            style = {**styles[str(method)], "linestyle": "none"}
            y = [-names.index(control) - (i - (len(methods) - 1) / 2) * shift
                 for control in mine["control"]]  # fmt: skip
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
        axis.set_ylim(-len(names) + 0.4, 0.6)
        first = axis in axes[::3]
        axis.set_yticks(range(0, -len(names), -1), names if first else [""] * len(names))
        axis.set_ylabel("control" if first else " ")
        axis.set_xlabel("points above the control")
        axis.set_title(_title(measure, rows.iloc[0]))
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, title=f"base {base}")
    return figure


def _title(measure: str, row: "pd.Series") -> str:
    images = f"n = {row['n']}"
    if not row["eps"]:
        return f"{measure}\n({images})"
    return f"{measure}\n(eps {shown(row['eps'], row['norm'])}, {images})"
