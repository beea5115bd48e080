"""Best against last epoch: the course of a training, and what both epochs are worth."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.radius import shown
from nenni.core.types import Inches, Name, Several
from nenni.results.accuracy import ALL
from nenni.results.figure_style import grid, look

__all__ = ["best_and_last"]


def best_and_last(
    accuracy: pd.DataFrame,
    histories: pd.DataFrame,
    tables: dict[str, Any],
    *,
    bases: Several[Name],
    column: Name,
    width: Inches = 7.2,
    height: Inches = 3.0,
) -> Figure:
    """Draw validation accuracy epoch by epoch, and test accuracy of all that was made of the bases.

    Left: the accuracy under the attack of the recipe, by which the best epoch is chosen, a thin
    line per seed with its best epoch marked, the mean thick. Right: clean and robust test accuracy
    with intervals over seeds and images.

    Parameters
    ----------
    accuracy : DataFrame
        Of all experiments.
    histories : DataFrame
        Of all bases: ``epoch`` and ``val_robust``.
    tables : dict
        Config of the main table.
    bases : list of str
        Of one training: the one that keeps its last epoch, and the one that keeps its best.
    column : str
        Column of the main table that is drawn beside clean accuracy.
    width, height : float
        Inches, of the figure and of a panel.
    """
    figure, (course, worth) = grid(2, width, height, columns=2)
    _course(course, histories[histories["base"] == bases[0]])
    eps, name = tables["eps"][bases[0]], tables["columns"][column]
    whole = accuracy[(accuracy["seed"] == ALL) & accuracy["base"].isin(bases)]
    measures = {
        "clean": (whole["evaluation"] == tables["clean"]) & (whole["eps"] == 0),
        f"{column}, eps {shown(eps, tables['norm'])}": (whole["evaluation"] == name)
        & (whole["eps"] == eps),
    }
    pairs = whole[["base", "defence"]].drop_duplicates()
    places = {pair: -i for i, pair in enumerate(pairs.itertuples(index=False, name=None))}
    styles = look(list(measures))
    for label, rows in ((label, whole[at]) for label, at in measures.items()):
        x, low, high = (100 * rows[column] for column in ("accuracy", "low", "high"))
        y = [places[pair] for pair in zip(rows["base"], rows["defence"], strict=True)]
        style = {**styles[label], "linestyle": "none"}
        told = f"{label}, n = {rows['n'].max()}"
        worth.errorbar(x, y, xerr=(x - low, high - x), elinewidth=0.9, label=told, **style)
    worth.set_yticks(list(places.values()), [f"{base}\n{defence}" for base, defence in places])
    worth.set_ylim(0.5 - len(places), 0.5)
    worth.set_ylabel("base and defence")
    worth.set_xlabel("accuracy (%)")
    worth.set_title("test images")
    figure.legend(*worth.get_legend_handles_labels(), loc="outside lower right", ncols=2)
    return figure


def _course(axis: Any, history: pd.DataFrame) -> None:
    curves = history.pivot(index="epoch", columns="seed", values="val_robust")
    for seed in curves:
        curve, best = 100 * curves[seed], curves[seed].idxmax()
        axis.plot(curve.index, curve, color="0.65", lw=0.7)
        axis.plot([best], [curve[best]], color="0.4", marker="o", markersize=4, linestyle="none")
    axis.plot(curves.index, 100 * curves.mean(axis=1), color="black")
    axis.set_xlabel("epoch")
    axis.set_ylabel("accuracy (%)")
    axis.set_title("validation, under the recipe's attack\n(dot: best epoch of a seed)")
