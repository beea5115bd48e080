"""BitOPs per layer, stacked by term: where a saving comes from and what eats it."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nenni.core.types import Inches, Name, Several
from nenni.results.figure_style import bar_style, grid, name_bars, named

__all__ = ["bitops_per_layer"]

INT8 = 8
_DENSE = {"fp32": "-", "fp16": "--", "int8": ":"}
_DENSE_COLOUR = "#D55E00"


def bitops_per_layer(
    operations: pd.DataFrame,
    reductions: pd.DataFrame,
    *,
    base: Name,
    defences: Several[Name],
    width: Inches = 7.2,
    height: Inches = 2.6,
) -> Figure:
    """Draw a bar per layer for some defences on one base, mean over the seeds.

    The left column counts the exact path as it was evaluated; the right one at INT8, at which it
    was not evaluated: there the approximation and the overheads are large enough to be seen.

    Parameters
    ----------
    operations, reductions : DataFrame
        The cost model's tables of all experiments.
    base : str
        Which base.
    defences : list of str
        A row each.
    width, height : float
        Inches, of the figure and of a panel.
    """
    terms = list(dict.fromkeys(operations["term"]))
    figure, axes = grid(2 * len(defences), width, height, columns=2)
    for i, defence in enumerate(defences):
        here = operations[(operations["base"] == base) & (operations["defence"] == defence)]
        mean = here.groupby(["layer", "term"])[["bitops", "macs"]].mean().unstack()
        mean = mean.reindex(dict.fromkeys(here["layer"]))
        evaluated = mean["bitops"].reindex(columns=terms).fillna(0)
        at_int8 = evaluated.assign(exact=mean["macs"]["exact"] * INT8**2)
        dense = reductions[
            (reductions["base"] == base)
            & (reductions["defence"] == defence)
            & (reductions["variant"] == "as_evaluated")
        ]
        dense_bits = dense.groupby(["baseline", "layer"])["dense_bitops"].mean()
        _bars(axes[2 * i], evaluated, dense_bits, ("fp32", "fp16", "int8"))
        _bars(axes[2 * i + 1], at_int8, dense_bits, ("int8",))
        axes[2 * i].set_title(f"{defence} on {base}, as evaluated")
        axes[2 * i + 1].set_title(f"{defence}, exact in INT8 (not evaluated)")
    handles, labels = named(axes)
    for baseline, style in _DENSE.items():
        handles.append(Line2D([], [], color=_DENSE_COLOUR, ls=style))
        labels.append(f"dense {baseline.upper()}")
    figure.legend(handles, labels, loc="outside lower center", ncols=5, handlelength=2.5)
    return figure


def _bars(axis: Any, bits: pd.DataFrame, dense: "pd.Series[Any]", shown: tuple[str, ...]) -> None:
    x = np.arange(len(bits))
    bottom = np.zeros(len(bits))
    for i, term in enumerate(bits.columns):
        values = bits[term].to_numpy() / 1e6
        axis.bar(x, values, 0.6, bottom, label=term, **bar_style(i))
        bottom += values
    for baseline in shown:
        level = dense.loc[baseline].reindex(bits.index) / 1e6
        axis.hlines(level, x - 0.42, x + 0.42, color=_DENSE_COLOUR, lw=1.5, ls=_DENSE[baseline])
    name_bars(axis, x, bits.index)
    axis.set_ylabel("BitOPs per image (10$^6$)")
    axis.grid(visible=False, axis="x")
