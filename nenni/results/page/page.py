"""The page of a run: one HTML file with what it asked, found and cost, and how to repeat it."""

from collections.abc import Iterable, Mapping

import pandas as pd
from markupsafe import Markup

from nenni.results.page import chart, contents, skeleton
from nenni.results.page.about import About
from nenni.results.page.diagnosed import diagnosed
from nenni.results.page.pictures import Picture
from nenni.results.page.tables import Table, table
from nenni.results.page.trade_off import trade_off
from nenni.results.page.verdicts import counted, verdicts

LARGEST = 3_000_000
"""Bytes of a page."""
_TEMPLATE, _PARTS = "run.html.jinja", "parts.html.jinja"
_BASES = "Networks that were trained once per seed, and shared by the defences."
_DEFENCES = (
    "What was done to a base against attacks. Essential neurons are the outputs of a layer that "
    "are computed exactly; the others get a cheap approximation, whose error is the noise."
)


def page(
    tables: Mapping[str, pd.DataFrame],
    pictures: Iterable[Picture],
    about: About,
    largest: int = LARGEST,
) -> str:
    """The page. What would make it too large is left out, and named with its file.

    Parameters
    ----------
    tables : mapping
        The run's tables by name, ``main`` at least; what hangs on another that is not there is left
        out, or said to be missing.
    pictures : iterable of Picture
        The run's figures.
    about : About
        What was run on what.
    largest : int
        Bytes that it may have.
    """
    shown = trade_off(tables["main"], tables.get("suites"), tables.get("energy"))
    claims = verdicts(tables["claims"]) if "claims" in tables else []
    checks = tables.get("diagnostics")
    content = {
        "about": about,
        "networks": len(tables["main"]),
        "lists": [
            _html(table(about.bases, "bases", "The bases", _BASES)),
            _html(table(about.defences, "defences", "The defences", _DEFENCES)),
        ],
        "verdicts": claims,
        "counted": counted(claims),
        "picture": Markup(chart.static(shown)),
        "chart": chart.specification(shown),
        "chosen": (shown.points[0].attack, next(iter(shown.costs))),
        "diagnosed": [] if checks is None else diagnosed(checks),
        "suites": "suites" in tables,
        "files": {name: told for name, told in contents.DRAWN.items() if name in tables},
    }
    parts: dict[str, list[Table] | list[Picture]] = {
        "accuracy": contents.accuracy_tables(tables),
        "checks": [] if checks is None else [contents.diagnostic_table(checks)],
        "costs": contents.cost_tables(tables),
        "figures": [*pictures],
    }
    left = [part for some in parts.values() for part in some]
    nothing: dict[str, list[Markup]] = {name: [] for name in parts}
    room = largest - _size(skeleton.document(_TEMPLATE, **content, **nothing, left=left))
    kept, left = _fitting(parts, room)
    return skeleton.document(_TEMPLATE, **content, **kept, left=left)


def _fitting(
    parts: Mapping[str, list[Table] | list[Picture]], room: int
) -> tuple[dict[str, list[Markup]], list[Table | Picture]]:
    """The HTML of the parts that there is room for, in their order, and the parts that are left."""
    kept: dict[str, list[Markup]] = {name: [] for name in parts}
    left: list[Table | Picture] = []
    for name, some in parts.items():
        for part in some:
            html = _html(part)
            if _size(html) < room:
                kept[name].append(html)
                room -= _size(html)
            else:
                left.append(part)
    return kept, left


def _html(part: Table | Picture) -> Markup:
    macro = "data_table" if isinstance(part, Table) else "picture"
    return Markup(getattr(skeleton.environment().get_template(_PARTS).module, macro)(part))


def _size(html: str) -> int:
    return len(html.encode())
