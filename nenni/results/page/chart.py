"""The picture of a page: accuracy against cost; what is attacked and what is counted to choose.

Drawn by Vega-Lite: in the browser, where its selects and hover texts work, and before that as an
SVG that needs no JavaScript. Colours are those of the figures, as variables of the page's style, so
that a dark page has its own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import altair as alt
import vl_convert

from nenni.results.figure_style import COLOURS, look

_VEGA_LITE = alt.SCHEMA_VERSION.rpartition(".")[0]
_STATIC_WIDTH, _HEIGHT = 620, 340
_SYMBOL_WIDTH, _LETTER_WIDTH = 32, 7
"""Of the legend, at least."""
_ACCURACY = "accuracy (%)"
_SHAPES = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "M-1,-.5L-.5,-1L0,-.5L.5,-1L1,-.5L.5,0L1,.5L.5,1L0,.5L-.5,1L-1,.5L-.5,0Z",
    "*": "M0,-1L.27,-.3L1,-.3L.42,.12L.6,.85L0,.43L-.6,.85L-.42,.12L-1,-.3L-.27,-.3Z",
}
"""Marker of matplotlib -> shape of Vega."""


@dataclass(frozen=True)
class Point:
    """Accuracy of a network under an attack.

    Attributes
    ----------
    network, attack : str
        What was attacked, and how.
    accuracy, low, high : float
        Mean over the seeds and its 95 % interval, in %; None without an interval.
    images : int
        How many.
    each : list of float
        The accuracy of each seed, in %.
    seeds : str
        The same in words.
    """

    network: str
    attack: str
    accuracy: float
    low: float | None
    high: float | None
    images: int
    each: list[float]
    seeds: str


@dataclass(frozen=True)
class TradeOff:
    """What the picture shows; the first attack and the first cost are chosen at the beginning.

    Attributes
    ----------
    points : list of Point
        A network per attack.
    names : mapping
        Network -> what the legend says.
    costs : mapping
        Cost in words -> network -> that, in % of what it is compared with.
    """

    points: list[Point]
    names: Mapping[str, str]
    costs: Mapping[str, Mapping[str, float]]


def specification(what: TradeOff) -> dict[str, Any]:
    """The picture for Vega-Lite, as wide as its place on the page."""
    return _chart(what).properties(width="container").to_dict()


def static(what: TradeOff) -> str:
    """The picture as it is at the beginning, an SVG element that needs no JavaScript."""
    return svg(_chart(what))


def svg(chart: alt.LayerChart) -> str:
    """A chart as an SVG element."""
    whole = chart.properties(width=_STATIC_WIDTH).to_dict()
    return vl_convert.vegalite_to_svg(whole, vl_version=_VEGA_LITE)


def scripts() -> str:
    """What draws specifications in a browser: Vega, Vega-Lite and Vega-Embed."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", _VEGA_LITE)


def _chart(what: TradeOff) -> alt.LayerChart:
    shown = _chosen(what)
    colour, shape = _looks(list(dict.fromkeys(what.names.values())))
    x = alt.X("x:Q", title=None, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=6))
    hover = [
        alt.Tooltip("name:N", title="defence"),
        alt.Tooltip("accuracy:Q", title=_ACCURACY, format=".1f"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("seeds:N", title="seeds"),
        alt.Tooltip("images:Q", title="images"),
        alt.Tooltip("x:Q", title="cost (%)", format=".1f"),
    ]
    plain = alt.Chart(alt.InlineData([{"x": 100}])).mark_rule(strokeDash=[2, 3], color=MUTED)
    seeds = shown.transform_flatten(["each"]).mark_tick(
        thickness=2, size=14, orient="horizontal", aria=False
    )
    means = shown.mark_point(filled=True, size=130, stroke=INK, strokeWidth=1, opacity=1)
    layers = (
        plain.encode(x="x:Q"),
        shown.mark_rule(strokeWidth=2).encode(x=x, y=_height("low"), y2="high:Q", color=colour),
        seeds.encode(x=x, y=_height("each"), color=colour),
        means.encode(x=x, y=_height("accuracy"), color=colour, shape=shape, tooltip=hover),
    )
    chart: alt.LayerChart = (
        alt.layer(*layers)
        .add_params(*_choices(what))
        .properties(
            height=_HEIGHT,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding", resize=True),
            title=alt.TitleParams(alt.ExprRef("split(cost, '; ')"), orient="bottom"),
        )
        .configure(**CONFIG)
    )
    return chart


def _chosen(what: TradeOff) -> alt.Chart:
    """The points under the chosen attack, each with the chosen cost as ``x``."""
    costs = list(what.costs)
    networks = [
        {"network": n, "name": name, **{c: what.costs[c].get(n) for c in costs}}
        for n, name in what.names.items()
    ]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData([_row(point) for point in what.points]))
        .transform_filter("datum.attack == attack")
        .transform_lookup(
            "network", alt.LookupData(alt.InlineData(networks), "network", ["name", *costs])
        )
        .transform_calculate(x="datum[cost]")
    )
    return chart


def _looks(names: list[str]) -> tuple[alt.Color, alt.Shape]:
    """Colours and shapes, with a legend in as many columns as there is room for."""
    looks = list(look(names).values())
    colours = [variable(style["color"]) for style in looks]
    shapes = [_SHAPES[style["marker"]] for style in looks]
    column = _SYMBOL_WIDTH + _LETTER_WIDTH * max(map(len, names))
    legend = alt.Legend(title=None, columns=alt.ExprRef(f"max(1, floor(width / {column}))"))
    return (
        alt.Color("name:N", scale=alt.Scale(domain=names, range=colours), legend=legend),
        alt.Shape("name:N", scale=alt.Scale(domain=names, range=shapes), legend=legend),
    )


def _height(field: str) -> alt.Y:
    """A share in % on the vertical axis."""
    scale = alt.Scale(domain=[0, 100])
    return alt.Y(f"{field}:Q", title=_ACCURACY, scale=scale, axis=alt.Axis(tickCount=6))


def _row(point: Point) -> dict[str, Any]:
    """A point for Vega; what has no interval has one of no length."""
    interval = "none" if point.low is None else f"{point.low:.1f} to {point.high:.1f}"
    ends = {"low": point.accuracy, "high": point.accuracy} if point.low is None else {}
    return asdict(point) | ends | {"interval": interval}


def _choices(what: TradeOff) -> list[alt.Parameter]:
    """Selects of the page, by whose values the picture is drawn."""
    attacks = list(dict.fromkeys(point.attack for point in what.points))
    return [
        alt.param(name=name, value=options[0], bind=alt.binding_select(options=options, name=title))
        for name, title, options in (
            ("attack", "Attack", attacks),
            ("cost", "Cost", list(what.costs)),
        )
    ]


def variable(colour: str) -> str:
    """A colour of the figures, which the page's style may change."""
    return f"var(--series-{COLOURS.index(colour)}, {colour})"


INK, MUTED, LINES = "var(--ink, #1a1a1a)", "var(--muted, #595959)", "var(--line, #d0d0d0)"
CONFIG: dict[str, Any] = {
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",  # the converter has the first
    "background": "transparent",
    "axis": alt.AxisConfig(
        labelColor=MUTED, titleColor=INK, gridColor=LINES, domainColor=MUTED,
        tickColor=MUTED, labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
    ),
    "legend": alt.LegendConfig(
        labelColor=INK, labelFontSize=12, orient="top", symbolSize=110, symbolOpacity=1,
        symbolStrokeColor=INK, symbolStrokeWidth=1,
    ),
    "title": alt.TitleConfig(color=INK, fontSize=12, fontWeight="normal", offset=6),
    "view": alt.ViewConfig(stroke=None),
}  # fmt: skip
