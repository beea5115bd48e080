"""The picture of a card: accuracy under each attack, with intervals, of one network or of two."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import altair as alt

from nenni.cards.schema import Accuracy
from nenni.results.figure_style import COLOURS
from nenni.results.page.chart import CONFIG, INK, svg, variable

_STEP, _APART = 17, 9
"""Pixels between two rows, for each network and beside them."""
_LOOKS = ((COLOURS[2], "circle"), (COLOURS[5], "diamond"))
"""Colour and shape of the first network and of the second."""


@dataclass(frozen=True)
class Mark:
    """Accuracy of a network under an attack.

    Attributes
    ----------
    attack, network : str
        Which.
    accuracy, low, high : float
        In %, with its 95 % interval.
    interval : str
        The same in words.
    """

    attack: str
    network: str
    accuracy: float
    low: float
    high: float
    interval: str


def mark(attack: str, network: str, found: Accuracy) -> Mark:
    """A mark for an accuracy of a card."""
    mean, low, high = (round(100 * v, 2) for v in (found.accuracy, found.low, found.high))
    return Mark(attack, network, mean, low, high, f"{low:.1f} to {high:.1f}")


def specification(marks: Sequence[Mark]) -> dict[str, Any]:
    """The picture for Vega-Lite, as wide as its place on the page."""
    return _chart(marks).properties(width="container").to_dict()


def static(marks: Sequence[Mark]) -> str:
    """The same as an SVG element, which needs no JavaScript."""
    return svg(_chart(marks))


def _chart(marks: Sequence[Mark]) -> alt.LayerChart:
    networks = _different(mark.network for mark in marks)
    attacks = _different(mark.attack for mark in marks)
    several = len(networks) > 1
    looks = _LOOKS[: len(networks)]
    legend = alt.Legend(title=None, columns=1, labelLimit=0) if several else None
    colours, shapes = zip(*looks, strict=True)
    colour = alt.Color(
        "network:N",
        legend=legend,
        scale=alt.Scale(domain=networks, range=[*map(variable, colours)]),
    )
    shape = alt.Shape("network:N", legend=legend, scale=alt.Scale(domain=networks, range=[*shapes]))
    x = alt.X(
        "accuracy:Q", title="images that stay right (%)", scale=alt.Scale(domain=[0, 100]),
        axis=alt.Axis(tickCount=6),
    )  # fmt: skip
    axis = alt.Axis(title=None, grid=True, ticks=False, domain=False, labelLimit=0, labelPadding=12)
    y = alt.Y("attack:N", sort=attacks, axis=axis)
    place = {"y": y, **({"yOffset": alt.YOffset("network:N", sort=networks)} if several else {})}
    hover = [
        alt.Tooltip("network:N", title="network"),
        alt.Tooltip("attack:N", title="attack"),
        alt.Tooltip("accuracy:Q", title="stay right (%)", format=".1f"),
        alt.Tooltip("interval:N", title="95 % interval"),
    ]
    drawn = alt.Chart(alt.InlineData([asdict(mark) for mark in marks]))
    chart: alt.LayerChart = (
        alt.layer(
            drawn.mark_rule(strokeWidth=2).encode(
                x=alt.X("low:Q"), x2="high:Q", color=colour, **place
            ),
            drawn.mark_point(filled=True, size=110, stroke=INK, strokeWidth=1, opacity=1).encode(
                x=x, color=colour, shape=shape, tooltip=hover, **place
            ),
        )
        .properties(
            height=len(attacks) * (_APART + _STEP * len(networks)),
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding", resize=True),
        )
        .configure(**CONFIG)
    )
    return chart


def _different(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
