"""Make docs/found.md, what was found, and docs/found_runs.md, what stands behind it.

    python workflow/scripts/found_page.py      # part of make pages

From the tables of the runs that are committed: a part of a page appears when its tables are there
(:mod:`_found`). The sentences of docs/found*.md.jinja hold no number of a result and no word that
hangs on one.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import _found
import _found_answers
import _found_tables
from _found import Run
from _found_saving import saving
from _found_words import APART, beside, beyond, in_points, sorted_by, verdict
from _templates import templates
from _words import count, factor, fewer, percent
from result_pages import markdown

from nenni.core.io import write_atomically
from nenni.results.comparison import display
from nenni.run.claim_arms import about_base

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "results" / "reference"
PAGES = tuple(ROOT / "docs" / name for name in ("found.md", "found_runs.md"))


def main() -> None:
    """Write the pages."""
    for file, text in pages(TABLES).items():
        write_atomically(file, partial(Path.write_text, data=text, encoding="utf-8"))


def pages(tables: Path) -> dict[Path, str]:
    """Each page, and what a folder of tables makes of it.

    Parameters
    ----------
    tables : Path
        Such as ``results/reference``.
    """
    study = _found.repair(tables)
    made = templates(PAGES[0].parent)
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
        _found_tables.beside_controls, _found_tables.suites, _found_tables.survival,
        _found_tables.randomised,
        _found_tables.repair_table, _found_tables.by_data, _found_tables.tried,
        _found_tables.nearest, _found_tables.names,
    )  # fmt: skip
    answers = (
        _found_answers.tally, _found_answers.won, _found_answers.tries,
        _found_answers.gives_way, _found_answers.furthest, _found_answers.savings,
    )  # fmt: skip
    words = (
        beside, beyond, count, factor, fewer, in_points, percent, verdict, markdown, tallied,
        data_of, network_of, in_short, lost, points_of, source_of,
    )  # fmt: skip
    made.globals |= {function.__name__: function for function in (*tables_of, *answers, *words)}
    return {file: made.get_template(f"{file.name}.jinja").render() for file in PAGES}


def data_of(run: Run) -> str:
    """The data of a run's bases."""
    found = (about_base(run.config, base)["data"] for base in run.config.experiments)
    return ", ".join(dict.fromkeys(found))


def network_of(run: Run) -> str:
    """The networks of a run's bases."""
    found = (about_base(run.config, base)["architecture"] for base in run.config.experiments)
    return "; ".join(dict.fromkeys(found))


def tallied(run: Run) -> Iterator[str]:
    """For each method and measure, what it is better and worse than."""
    table, measures = run.tables["controls"], _found_tables.told_measures(run)
    for (base, method), mine in table.groupby(["base", "defence"], sort=False):
        told = []
        for measure, here in mine.groupby("measure", sort=False):
            parts = [f"{kind} {'from' if kind == APART else 'than'} {controls}"
                     for kind, controls in sorted_by(here).items() if controls]  # fmt: skip
            told += [f"{measures[measure]} {', '.join(parts)}"] if measure in measures else []
        yield f"`{base}/{method}`: {'; '.join(told)}."


def in_short(run: Run) -> str:
    """How often methods are better and worse under all attacks of a suite, and the first of them.

    Empty where no method has a control under a suite.
    """
    found = _found_tables.suites(run)
    if not found:
        return ""
    kinds = [verdict(of.paired.low, of.paired.high) for of in found]
    better, worse, apart = (
        count(n) if (n := kinds.count(kind)) else "none" for kind in ("better", "worse", APART)
    )
    first = found[0]
    seeds = f"{count(first.seeds)} seed{'s' * (first.seeds > 1)}"
    told = (
        f"`{first.base}/{first.method}` under all attacks of `{first.suite}` at eps {first.eps} "
        f"{beside(first.paired, first.other)}, {first.paired.n} images, {seeds}"
    )
    if len(found) == 1:
        return told
    return (
        f"under all attacks of a suite a method is better than {first.other} in {better} of "
        f"{count(len(found))} comparisons, worse in {worse}, and cannot be told apart in {apart}. "
        f"{told}"
    )


def points_of(share: float) -> str:
    """A share in points, ``2 points``."""
    return f"{100 * share:.0f} points"


def lost(plain: float, least: float) -> str:
    """How much less all attacks leave than one."""
    return f"{100 * (plain - least):.1f} points are lost" if plain > least else "nothing is lost"


def source_of(found: SimpleNamespace) -> str:
    """Where more than half of what is saved against FP32 comes from."""
    mostly = found.by_precision > max(each.with_precision for each in found.by) / 2
    return "mostly from fewer bits" if mostly else "mostly from skipped neurons"


if __name__ == "__main__":
    main()
