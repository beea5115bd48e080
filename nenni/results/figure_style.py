"""What the figures share: colours that survive grey print and colour blindness, and saving."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from nenni.core import radius
from nenni.core.errors import UserError
from nenni.core.io import write_atomically

# Okabe and Ito's palette (jfly.uni-koeln.de/color, 2008); neighbours here differ in grey.
COLOURS = ("#000000", "#E69F00", "#0072B2", "#CC79A7", "#009E73", "#D55E00", "#56B4E9", "#8C8C8C")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)), (0, (3, 3)))
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "++", "ooo", "**")

LINF_AXIS = ("L∞ radius eps (1/255)", radius.to_read(1.0, "linf"))
"""Label of an axis of L-inf radii, and the factor on radii of a table."""


_DOTS_PER_INCH = 200
_MOST_DOTS = 2**16
"""Of a picture in each direction, which matplotlib's backend does not reach."""


def prepare() -> None:
    """Set fonts and metadata so that figures are readable in print and bytes repeat."""
    mpl.rcdefaults()
    mpl.use("agg")
    mpl.rcParams.update(
        {
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "grid.linewidth": 0.6,
            "legend.frameon": False,
            "legend.fontsize": 8,
            "lines.linewidth": 1.4,
            "lines.markersize": 5,
            "hatch.linewidth": 0.6,
            "pdf.fonttype": 42,
            "svg.hashsalt": "nenni",
            "figure.dpi": 100,
        }
    )


def look(names: list[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and line style of each name, by its place in the list.

    Once all colours are taken they come again with other markers and lines.
    """
    styles = {}
    for i, name in enumerate(names):
        again, place = divmod(i, len(COLOURS))
        other = (place + again) % len(MARKERS)
        styles[name] = {
            "color": COLOURS[place],
            "marker": MARKERS[other],
            "linestyle": LINES[other],
        }
    return styles


def bar_style(i: int) -> dict[str, Any]:
    """Colour and hatch of the i-th kind of bar; once all are taken, colours with other hatches."""
    colours = ("#4D4D4D", *COLOURS[1:])
    again, place = divmod(i, len(colours))
    look = {"color": colours[place], "hatch": HATCHES[(place + again) % len(HATCHES)]}
    return {**look, "edgecolor": "black", "linewidth": 0.4}


def grid(panels: int, width: float, height: float, columns: int = 3) -> tuple[Figure, list[Any]]:
    """Figure with so many panels of one size in rows of at most `columns`.

    Raises
    ------
    UserError
        If it would be too high for a picture.
    """
    columns = min(columns, panels)
    rows = -(-panels // columns)
    if height * rows * _DOTS_PER_INCH >= _MOST_DOTS:
        highest = _MOST_DOTS / _DOTS_PER_INCH / rows
        raise UserError(
            f"a figure with {rows} rows of {height:g} inches is too high for a picture; give it a "
            f"height below {highest:.1f}"
        )
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in axes[panels:]:
        spare.set_visible(False)
    return figure, axes[:panels]


def named(axes: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """Handles and labels of what panels show, for the legend of a figure: each label once."""
    known: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    return [*known.values()], [*known]


def say(axis: Any, text: str) -> None:
    """Words in place of a panel that has nothing to show."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes)


def name_bars(axis: Any, x: Any, names: Any) -> None:
    """Names under bars, upright where many stand side by side."""
    upright = {"rotation": 90, "fontsize": 6} if len(names) > 8 else {}
    axis.set_xticks(x, names, **upright)


def save(figure: Figure, pdf: Path, png: Path) -> None:
    """Write both formats without dates or software versions."""
    write_atomically(
        pdf,
        lambda path: figure.savefig(
            path, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None}
        ),
    )
    save_png(figure, png)


def save_png(figure: Figure, png: Path) -> None:
    """Write a picture without dates or software versions."""
    write_atomically(
        png,
        lambda path: figure.savefig(
            path, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None}
        ),
    )
