"""BitOPs per layer, stacked by term: where a saving comes from and what eats it."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nenni.figures._style import COLOURS, HATCHES, grid

__all__ = ["bitops_per_layer"]


def bitops_per_layer(
    operations: pd.DataFrame,
    reductions: pd.DataFrame,
    *,
    base: str,
    defences: list[str],
    width: float = 7.2,
    height: float = 2.8,
) -> Figure:
    """Draw a bar per layer for some defences on one base, mean over the seeds.

    Parameters
    ----------
    operations, reductions : DataFrame
        The cost model's tables of all experiments.
    base : str
        Which base.
    defences : list of str
        A panel each.
    width, height : float
        Inches, of the figure and of a panel.
    """
    terms = list(dict.fromkeys(operations["term"]))
    layers = list(dict.fromkeys(operations["layer"]))
    x = np.arange(len(layers))
    figure, axes = grid(len(defences), width, height, columns=2)
    for axis, defence in zip(axes, defences, strict=True):
        here = operations[(operations["base"] == base) & (operations["defence"] == defence)]
        bits = here.groupby(["layer", "term"])["bitops"].mean().unstack().reindex(layers)
        bottom = np.zeros(len(layers))
        for i, term in enumerate(terms):
            if term not in bits:
                continue
            values = bits[term].fillna(0).to_numpy() / 1e6
            axis.bar(x, values, 0.6, bottom, label=term, color=_colour(i), hatch=HATCHES[i],
                     edgecolor="black", linewidth=0.4)  # fmt: skip
            bottom += values
        dense = reductions[
            (reductions["base"] == base)
            & (reductions["defence"] == defence)
            & (reductions["variant"] == "as_evaluated")
        ]
        for baseline, style in (("fp32", "-"), ("fp16", "--"), ("int8", ":")):
            rows = dense[dense["baseline"] == baseline].groupby("layer")["dense_bitops"].mean()
            axis.hlines(rows.reindex(layers) / 1e6, x - 0.42, x + 0.42, color="#D55E00", lw=1.5,
                        ls=style)  # fmt: skip
        axis.set_xticks(x, layers)
        axis.set_title(f"{defence} on {base}")
        axis.set_ylabel("BitOPs per image (10$^6$)")
        axis.grid(visible=False, axis="x")
    handles, labels = axes[0].get_legend_handles_labels()
    for baseline, style in (("FP32", "-"), ("FP16", "--"), ("INT8", ":")):
        handles.append(Line2D([], [], color="#D55E00", ls=style))
        labels.append(f"dense {baseline}")
    figure.legend(handles, labels, loc="outside lower center", ncols=5, handlelength=2.5)
    return figure


def _colour(i: int) -> str:
    return ("#4D4D4D", *COLOURS[1:])[i % len(COLOURS)]
