"""Make docs/found.md: what was found, from the tables of the runs that are committed.

    python workflow/scripts/found_page.py      # part of make pages

A part of the page appears when its tables are there (:mod:`_found`). The sentences of
docs/found.md.jinja hold no number of a result and no word that hangs on one.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import _found
import _found_tables
from _found import Run
from _found_saving import saving
from _found_words import beside, beyond, counted, in_points, verdict
from _templates import templates
from _words import count, factor, fewer, percent
from result_pages import markdown

from nenni.core.io import write_atomically
from nenni.results.comparison import display
from nenni.run.claim_arms import about_base

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "results" / "reference"
PAGE = ROOT / "docs" / "found.md"


def main() -> None:
    """Write the page."""
    text = page(TABLES)
    write_atomically(PAGE, partial(Path.write_text, data=text, encoding="utf-8"))


def page(tables: Path) -> str:
    """The page that a folder of tables makes.

    Parameters
    ----------
    tables : Path
        Such as ``results/reference``.
    """
    study = _found.repair(tables)
    made = templates(PAGE.parent)
    made.globals |= {
        "runs": _found.runs(tables),
        "missing": _found.missing(tables),
        "repaired": None if study is None else _found_tables.repaired(study),
        "saving": saving(tables),
        "control": _found_tables.CONTROL,
        "margin": _found_tables.MARGIN,
        "saved": _found_tables.SAVED,
        "has_picture": lambda run, name: (tables / run.name / f"{name}.png").exists(),
        "comparison": lambda run: display(run.tables["comparison"]),
    }
    tables_of = (
        _found_tables.beside_controls, _found_tables.suites, _found_tables.randomised,
        _found_tables.repair_table, _found_tables.by_data, _found_tables.tried,
        _found_tables.nearest, _found_tables.names,
    )  # fmt: skip
    words = (
        beside, beyond, count, factor, fewer, in_points, percent, verdict, markdown, tallied,
        data_of, network_of, lost, points_of, source_of,
    )  # fmt: skip
    made.globals |= {function.__name__: function for function in (*tables_of, *words)}
    return made.get_template(f"{PAGE.name}.jinja").render()


def data_of(run: Run) -> str:
    """The data of a run's bases."""
    found = (about_base(run.config, base)["data"] for base in run.config.experiments)
    return ", ".join(dict.fromkeys(found))


def network_of(run: Run) -> str:
    """The networks of a run's bases."""
    found = (about_base(run.config, base)["architecture"] for base in run.config.experiments)
    return "; ".join(dict.fromkeys(found))


def tallied(run: Run) -> Iterator[str]:
    """For each method and measure, how often it is better and worse than its controls."""
    table, measures = run.tables["controls"], _found_tables.told_measures(run)
    for (base, method), mine in table.groupby(["base", "defence"], sort=False):
        told = []
        for measure, here in mine.groupby("measure", sort=False):
            parts = [f"{kind} than {n}" if kind != "cannot be told apart" else f"{kind} from {n}"
                     for kind, n in counted(here).items() if n]  # fmt: skip
            told += [f"{measures[measure]} {', '.join(parts)}"] if measure in measures else []
        yield f"`{base}/{method}` beside its controls: {'; '.join(told)}."


def points_of(share: float) -> str:
    """A share in points, ``2 points``."""
    return f"{100 * share:.0f} points"


def lost(plain: float, least: float) -> str:
    """How much less all attacks leave than one."""
    return f"{100 * (plain - least):.1f} points are lost" if plain > least else "nothing is lost"


def source_of(found: SimpleNamespace) -> str:
    """Where more than half of what is saved against FP32 comes from."""
    mostly = found.by_precision > found.with_precision / 2
    return "mostly from fewer bits" if mostly else "mostly from skipped neurons"


if __name__ == "__main__":
    main()
