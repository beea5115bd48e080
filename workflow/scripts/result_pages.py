"""Make docs/results.md and the numbers of README.md from the tables of results/reference/.

    python workflow/scripts/result_pages.py      # make pages

The sentences are those of docs/results.md.jinja. They hold no number of a result and no word that
hangs on one: both are computed from the tables. A block of the template stands in README.md too,
between ``<!-- results: BLOCK -->`` and ``<!-- end -->``.
"""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nenni.core import radius
from nenni.core.errors import UserError
from nenni.core.io import write_atomically
from nenni.evaluation.scoring import WORST
from nenni.results.claims import SEEDS_NEEDED
from nenni.results.main_table import LEGEND, display

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "results" / "reference"
README, PAGE = ROOT / "README.md", ROOT / "docs" / "results.md"
TEMPLATE = ROOT / "docs" / "results.md.jinja"
CLAIMS = ROOT / "config" / "claims.yaml"
READ = (
    "mnist5k/claims", "mnist5k/main", "mnist5k/suites", "mnist5k/diagnostics", "mnist5k/energy",
    "cifar10/main", "cifar10/suites", "cifar10/base", "autoattack/summary", "cost/bench",
)  # fmt: skip
"""Tables that the template reads, without their suffix."""
Tables = dict[str, pd.DataFrame]
Row = Any
"""A row of a table, whose columns are attributes."""
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def main() -> None:
    """Write both pages."""
    for file, text in pages(read()).items():
        write_atomically(file, partial(Path.write_text, data=text, encoding="utf-8"))


def read() -> Tables:
    """The committed tables by name."""
    return {name: pd.read_csv(TABLES / f"{name}.csv") for name in READ}


def pages(tables: Tables) -> dict[Path, str]:
    """Both files and what they should hold."""
    return {PAGE: page(tables), README: filled(README.read_text(encoding="utf-8"), tables)}


def page(tables: Tables) -> str:
    """docs/results.md."""
    return environment(tables).get_template(TEMPLATE.name).render()


def filled(text: str, tables: Tables) -> str:
    """A page with each of its marked parts made again from the block of that name."""
    template = environment(tables).get_template(TEMPLATE.name)

    def block(match: re.Match[str]) -> str:
        name = match.group(2)
        if name not in template.blocks:
            raise UserError(f"{README}: {TEMPLATE.name} has no block {name!r}")
        made = "".join(template.blocks[name](template.new_context())).strip()
        return f"{match.group(1)}\n{made}\n<!-- end -->"

    return re.sub(r"(<!-- results: (\w+) -->)\n.*?<!-- end -->", block, text, flags=re.DOTALL)


def environment(tables: Tables) -> Environment:
    """What the template may call."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    found.globals |= {
        "percent": percent,
        "count": count,
        "shown": shown,
        "factor": factor,
        "rows": partial(rows, tables),
        "row": partial(row, tables),
        "difference": difference,
        "change": change,
        "fewer": fewer,
        "seeds": seeds,
        "span": span,
        "claimed": lambda: claimed(tables["mnist5k/claims"]),
        "measured": measured,
        "markdown": markdown,
        "main_table": lambda name: markdown(display(tables[name], titles(tables[name]))),
        "attacks": lambda name, suite: markdown(attacks(tables[name], suite)),
        "energy": partial(energy, tables["mnist5k/energy"]),
        "legend": " ".join(LEGEND).replace("*", "\\*"),
        "seeds_needed": SEEDS_NEEDED,
    }
    return found


def rows(tables: Tables, file: str, /, **where: object) -> list[Row]:
    """Rows of a table whose columns have these values.

    Raises
    ------
    UserError
        If there is none.
    """
    table = tables[file]
    for column, value in where.items():
        table = table[table[column] == value]
    if table.empty:
        raise UserError(f"{TABLES / file}.csv: has no row with {_told(where)}")
    return [*table.itertuples(index=False)]


def _told(where: dict[str, object]) -> str:
    return ", ".join(f"{column} {value}" for column, value in where.items())


def row(tables: Tables, file: str, /, **where: object) -> Row:
    """The one row of a table whose columns have these values, or the one of most images.

    Raises
    ------
    UserError
        If there is none, or another with as many images.
    """
    found = sorted(rows(tables, file, **where), key=lambda r: getattr(r, "n", 0))
    if len(found) > 1 and getattr(found[-2], "n", 0) == getattr(found[-1], "n", 0):
        raise UserError(f"{TABLES / file}.csv: has several rows with {_told(where)}")
    return found[-1]


def percent(share: float, decimals: int = 1) -> str:
    """A share in per cent."""
    return f"{100 * share:.{decimals}f} %"


def factor(ratio: float) -> str:
    """A ratio to two digits or more."""
    return f"{ratio:.1f}"


def count(number: float) -> str:
    """A number of things, in letters where it is small."""
    number = int(number)
    return _WORDS[number] if number < len(_WORDS) else f"{number:,}"


def shown(found: Row) -> str:
    """The radius of a row, ``76.5/255``; L-inf where it does not say."""
    return radius.shown(found.eps, getattr(found, "norm", "linf"))


def seeds(found: Row) -> str:
    """How many seeds a row is over: ``two seeds``."""
    number = len(found.clean_seeds.split()) if hasattr(found, "clean_seeds") else found.seeds
    return f"{count(number)} seed" + ("s" if number != 1 else "")


def difference(value: float, other: float) -> str:
    """How far one share lies from another: ``12.8 points below``."""
    gap = f"{abs(100 * (value - other)):.1f}"
    if gap == "0.0":
        return "level with"
    return f"{gap} points {'below' if value < other else 'above'}"


def change(value: float, low: float | None = None, high: float | None = None) -> str:
    """A change of a share: ``falls by 12.8 points (11.0 to 14.5)``."""
    if f"{abs(100 * value):.1f}" == "0.0":
        text, sign = "stays the same", 1
    else:
        text = f"{'falls' if value < 0 else 'rises'} by {abs(100 * value):.1f} points"
        sign = -1 if value < 0 else 1
    if low is None or high is None:
        return text
    near, far = sorted((sign * low, sign * high))
    return f"{text} ({100 * near:.1f} to {100 * far:.1f})"


def fewer(reduction: float, decimals: int = 1, word: str = "fewer") -> str:
    """A reduction in words: ``71.2 % fewer``, ``12.0 % more``."""
    return f"{percent(abs(reduction), decimals)} {'more' if reduction < 0 else word}"


def span(values: Iterable[float]) -> str:
    """The least and the largest of some ratios: ``1.5 to 2.3``."""
    ordered = sorted(values)
    texts = [factor(value) for value in (ordered[0], ordered[-1])]
    return " to ".join(dict.fromkeys(texts))


def claimed(table: pd.DataFrame) -> list[Row]:
    """One row per claim, against the hardest control that it was measured against."""
    hardest = [
        group.loc[group["against"].map(_hardness).idxmax()]
        for _, group in table.groupby("claim", sort=False)
    ]
    chosen = pd.DataFrame(hardest)
    asked = list(yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))["claims"])
    return [*chosen.sort_values("claim", key=lambda c: c.map(asked.index)).itertuples(index=False)]


def _hardness(against: object) -> int:
    """The same training without the method, and overheads counted, are what counts."""
    return 1 if against == "none_ft" or "overheads counted" in str(against) else 0


def measured(claim: Row) -> str:
    """What was measured of a claim, in words."""
    if pd.isna(claim.measured):
        return "not measured"
    if str(claim.against).startswith("dense"):
        return f"{fewer(claim.measured)}, {str(claim.against).partition(', ')[2]}"
    return change(claim.measured, claim.low, claim.high)


def titles(table: pd.DataFrame) -> list[str]:
    """Attacks that a main table has columns of."""
    found = [column.removesuffix("_seeds") for column in table if column.endswith("_seeds")]
    return [title for title in found if title != "clean"]


def attacks(table: pd.DataFrame, suite: str) -> pd.DataFrame:
    """Accuracy under each attack of a suite, one column per defence."""
    here = table[table["suite"] == suite]
    here = here[~((here["attack"] == "clean") & (here["norm"] != "linf"))]
    eps = [radius.shown(e, n) if e else "" for e, n in zip(here["eps"], here["norm"], strict=True)]
    norm = here["norm"].map({"linf": "L-inf", "l2": "L2"}).where(here["eps"] > 0, "")
    named = here.assign(eps=eps, norm=norm, accuracy=here["accuracy"].map(percent))
    keys = ["attack", "norm", "eps", "n"]
    order = named[keys].drop_duplicates().sort_values("attack", key=_is_least, kind="stable")
    wide = named.pivot(index=keys, columns="defence", values="accuracy").fillna("")
    wide = wide.loc[pd.MultiIndex.from_frame(order), list(dict.fromkeys(named["defence"]))]
    return wide.reset_index()


def _is_least(attack: "pd.Series[Any]") -> "pd.Series[Any]":
    return attack == WORST


def energy(table: pd.DataFrame, bits: int, **where: object) -> float:
    """Share of the energy of the whole network that is saved, mean over the seeds."""
    here = table[(table["layer"] == "total") & (table["bits"] == bits)]
    for column, value in where.items():
        here = here[here[column] == value]
    return float(here["reduction"].mean())


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown; numbers to the right."""
    cells = [[str(cell).replace("|", "\\|") for cell in line] for line in table.to_numpy()]
    right = [all(re.match(r"[-+]?\d|$", line[i]) for line in cells) for i in range(table.shape[1])]
    head = [str(column).replace("*", "\\*") for column in table.columns]
    marks = ["---:" if r else "---" for r in right]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, marks, *cells])


if __name__ == "__main__":
    main()
