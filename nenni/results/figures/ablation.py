"""One choice of the method turned up and down: clean and robust accuracy."""

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure

from nenni.core.radius import shown
from nenni.core.types import Inches, Name, Several
from nenni.evaluation.scoring import WORST
from nenni.results.accuracy import ALL
from nenni.results.figure_style import grid, look
from nenni.results.knobs import AXES, told, turned

__all__ = ["ablation"]


def ablation(
    accuracy: pd.DataFrame,
    suites: pd.DataFrame,
    tables: dict[str, Any],
    settings: dict[str, dict[str, Any]],
    *,
    base: Name,
    knob: Literal[
        "bits", "ratio", "fraction", "pattern", "projection", "selection", "score", "noise"
    ],
    defences: Several[Name],
    control: Name,
    width: Inches = 7.2,
    height: Inches = 2.6,
) -> Figure:
    """Draw accuracy against one choice in which the defences differ, a panel per measure.

    Measures are clean images, each attack of the main table at its radius, and the least over all
    attacks of a suite where all of the defences received one.

    Parameters
    ----------
    accuracy, suites : DataFrame
        Of all experiments.
    tables : dict
        Config of the main table.
    settings : dict
        Defence -> its injection.
    base : str
        Which base.
    knob : str
        What is turned: "bits" of the approximation's weights, "ratio" k/d, "fraction" of essential
        neurons, "pattern" N:M; or what is exchanged: "projection", "selection", "score", "noise".
    defences : list of str
        That differ in it; words stand in this order.
    control : str
        Defence without injection, for the level to compare with.
    width, height : float
        Inches, of the figure and of a panel.
    """
    values = {name: turned(name, settings[name], knob) for name in defences}
    words = any(isinstance(value, str) for value in values.values())
    ordered = list(defences) if words else sorted(defences, key=lambda name: values[name])
    drawn = [*ordered, control]
    panels = _measures(accuracy[accuracy["base"] == base], tables, base, drawn)
    panels |= _least(suites[suites["base"] == base], tables, drawn)
    styles = look(["injected", control])
    figure, axes = grid(len(panels), width, height)
    for axis, (title, rows) in zip(axes, panels.items(), strict=True):
        found = rows.set_index("defence").loc[drawn]
        mine, plain = found.loc[ordered], found.loc[control]
        y, low, high = (100 * mine[name] for name in ("accuracy", "low", "high"))
        places = range(len(ordered))
        style = styles["injected"] | ({"linestyle": "none"} if words else {})
        axis.errorbar(places, y, yerr=(y - low, high - y), label="injected", **style)
        style = {key: value for key, value in styles[control].items() if key != "marker"}
        axis.axhline(100 * plain["accuracy"], label=control, **style)
        axis.axhspan(100 * plain["low"], 100 * plain["high"], color=style["color"], alpha=0.1, lw=0)
        slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if words else {}
        axis.set_xticks(places, [told(values[name]) for name in ordered], **slant)
        axis.set_xlim(-0.4, len(ordered) - 0.6)
        axis.set_xlabel(AXES[knob])
        axis.set_ylabel("accuracy (%)")
        axis.set_title(f"{title}, n = {found['n'].max()}", fontsize=8)
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, title=f"base {base}")
    return figure


def _measures(
    accuracy: pd.DataFrame, tables: Mapping[str, Any], base: str, drawn: list[str]
) -> dict[str, pd.DataFrame]:
    """Those that all of the networks have."""
    whole, eps = accuracy[accuracy["seed"] == ALL], tables["eps"][base]
    clean = (whole["evaluation"] == tables["clean"]) & (whole["eps"] == 0)
    found = {"clean": whole[clean]}
    for title, name in tables["columns"].items():
        at = (whole["evaluation"] == name) & (whole["eps"] == eps)
        found[f"{title}, eps {shown(eps, tables['norm'])}"] = whole[at]
    return {title: rows for title, rows in found.items() if {*drawn} <= {*rows["defence"]}}


def _least(
    suites: pd.DataFrame, tables: Mapping[str, Any], drawn: list[str]
) -> dict[str, pd.DataFrame]:
    """The least over the attacks of the first suite that all of the networks received.

    On the most images: attacks on a part of them are left out.
    """
    at = (suites["attack"] == WORST) & (suites["seed"] == ALL) & (suites["norm"] == tables["norm"])
    most = suites[at].sort_values("n", ascending=False, kind="stable")
    for suite, rows in most.drop_duplicates(["suite", "defence"]).groupby("suite", sort=False):
        if {*drawn} <= {*rows["defence"]}:
            radius = shown(rows["eps"].iloc[0], tables["norm"])
            return {f"least of {suite}, eps {radius}": rows}
    return {}
