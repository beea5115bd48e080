"""A run's table as a page shows it: columns with titles and meanings, cells that can be sorted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
        What is read.
    order : float or None
        What it is sorted by, where that is not its text.
    """

    text: str
    order: float | None = None


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    title : str
        Of its head.
    meaning : str
        A sentence, where the title does not say it all.
    number : bool
        Whether it is set as numbers are.
    """

    title: str
    meaning: str
    number: bool


@dataclass(frozen=True)
class Table:
    """A table of a page.

    Attributes
    ----------
    name : str
        Of the run's table, for links.
    title, sentence : str
        What it is called, and what it shows.
    columns : list of Column
        In their order.
    rows : list of list of Cell
        As long as `columns`.
    """

    name: str
    title: str
    sentence: str
    columns: list[Column]
    rows: list[list[Cell]]

    @property
    def file(self) -> str:
        """The table itself, from the folder of the run."""
        return f"tables/{self.name}.csv"


Written = Callable[[float], str]
"""How a number is written."""


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _count(value: float) -> str:
    return f"{value:.0f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= _LARGE else f"{value:.4g}"


def _rare(value: float) -> str:
    return f"{value:.2g}"


_LARGE = 1000
COLUMNS: dict[str, tuple[str, str, Written]] = {
    "defence": ("defence", "what was done to the network against attacks", _number),
    "base": ("base", "the trained network that the defence was applied to", _number),
    "seed": ("seed", "number that all random choices of a training follow from", _number),
    "n": ("images", "test images that were attacked", _count),
    "seeds": ("seeds", "how many", _count),
    "accuracy": ("accuracy", "share of the images that are classified correctly", _share),
    "any_iterate": (
        "at the worst point tried",
        "accuracy where any point that the attack tried counts, not its last alone",
        _share,
    ),
    "deviation": ("deviation", "standard deviation over the seeds", _share),
    "low": ("low", "lower end of the 95 % interval", _share),
    "high": ("high", "upper end of the 95 % interval", _share),
    "control_accuracy": ("control's accuracy", "on the same images", _share),
    "difference": ("difference (points)", "accuracy of the defence less the control's", _points),
    "p": ("p", "how likely at least so much is if there is no difference", _rare),
    "control": ("control", "what the defence is compared with, on the same images", _number),
    "evaluation": (
        "evaluation",
        "an attack with its settings; with 'any', the worst point that it tried counts",
        _number,
    ),
    "forwards": ("forward passes", "passes through the network per image, on average", _number),
    "backwards": ("backward passes", "gradients per image, on average", _number),
    "tries": ("tries", "how often the attacker may try again", _count),
    "relative_error": (
        "relative error",
        "size of the approximation's error over that of the exact outputs",
        _number,
    ),
    "error_bias": ("bias", "mean of that error over the size of the exact outputs", _rare),
    "fraction": ("fraction", "share of the outputs that are computed exactly", _number),
    "recall": ("recall", "share of the truly largest outputs that the selection finds", _number),
    "neurons": ("outputs", "of the layer, per image", _count),
    "ratio": ("ratio k/d", "size of the projected input over the input's", _number),
    "clean": ("clean accuracy", "on images that nobody changed", _share),
    "robust": ("accuracy under attack", "", _share),
    "claimed": ("claimed", "in points of accuracy; of BitOPs in %", _points),
    "measured": ("measured", "in points of accuracy; of BitOPs in %", _points),
    "worst_seed": ("worst seed", "in points of accuracy; of BitOPs in %", _points),
    "best_seed": ("best seed", "in points of accuracy; of BitOPs in %", _points),
    "against": ("against", "what it is compared with", _number),
    "comparator": ("against", "what it is compared with", _number),
    "check": ("check", "what was asked of the network", _number),
    "value": ("value", "mostly the share of images that speak against the network", _share),
    "threshold": ("at most", "the largest value that is no fault", _share),
}
"""Column of a run's table -> title, meaning and how its numbers are written."""


def table(
    frame: pd.DataFrame,
    name: str,
    title: str,
    sentence: str,
    *,
    titles: Mapping[str, str] | None = None,
) -> Table:
    """A table as it is shown. Columns without a title keep their name, in words.

    Parameters
    ----------
    frame : DataFrame
        Its cells are texts, numbers or :class:`Cell`.
    name, title, sentence : str
        See :class:`Table`.
    titles : mapping
        Column -> its title, as it is.
    """
    heads, cells = [], []
    for column in frame:
        head, meaning, written = COLUMNS.get(str(column), (spelt(str(column)), "", _number))
        head = (titles or {}).get(str(column), head)
        values = [_cell(value, written) for value in frame[column]]
        number = any(value.order is not None for value in values)
        heads.append(Column(head, meaning, number))
        cells.append(values)
    return Table(name, title, sentence, heads, [list(row) for row in zip(*cells, strict=True)])


def spelt(name: str) -> str:
    """A name of a column or a file in words."""
    return name.replace("_", " ")


def share(value: float, low: float = float("nan"), high: float = float("nan")) -> Cell:
    """A share with its interval: ``75.1 % [72.6, 77.5]``."""
    interval = "" if pd.isna(low) else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return Cell("") if pd.isna(value) else Cell(f"{_share(value)}{interval}", float(value))


def points(value: float, low: float, high: float) -> Cell:
    """A difference of shares with its interval: ``-5.1 [-6.6, -3.5]``."""
    interval = "" if pd.isna(low) else f" [{_points(low)}, {_points(high)}]"
    return Cell("") if pd.isna(value) else Cell(f"{_points(value)}{interval}", float(value))


def change(reduction: float) -> Cell:
    """A reduction as the change that it is: ``-47.2 %``."""
    if pd.isna(reduction):
        return Cell("")
    text = f"{-100 * reduction:+.1f} %"
    return Cell("0.0 %" if text[1:] == "0.0 %" else text, -float(reduction))


def _cell(value: Any, written: Written) -> Cell:
    if isinstance(value, Cell):
        return value
    if isinstance(value, str | bool) or not pd.api.types.is_number(value):
        return Cell("" if value is None else str(value))
    return Cell("") if pd.isna(value) else Cell(written(value), float(value))
