"""What all committed runs together answer, for docs/found.md."""

from collections.abc import Iterable
from types import SimpleNamespace

import pandas as pd
from _found import Run
from _found_tables import LEAST, suites
from _found_words import APART, WAYS, draws, stands_for, verdict
from _words import count, percent

from nenni.results.accuracy import ALL
from nenni.run.claim_arms import injection_of

MEASURES = {"clean": "clean", "pgd_20": "PGD-20", LEAST: "all attacks of a suite"}
TRIES = 10
"""Of an attacker who shows the worst point of each image again and again."""
OTHER = "another setting of the method"
_PARTS = {"soft", "past", "exact", "flip"}
"""Ways that get around a part of the method."""
_KINDS = {"better": "better", "worse": "worse", APART: "apart"}


def tally(runs: Iterable[Run]) -> pd.DataFrame:
    """How often methods are better and worse than each kind of control, over all runs."""
    rows = []
    for run in runs:
        table = run.tables["controls"]
        for row in table.itertuples():
            kind = stands_for(run.config, row.control)
            measure = LEAST if row.measure.startswith(LEAST) else row.measure
            if measure in MEASURES and kind != OTHER:
                told = f"{kind} (draws)" if draws(run.config, row.control) else kind
                rows.append(
                    {"beside": told, "measure": MEASURES[measure],
                     "verdict": verdict(row.low, row.high)}
                )  # fmt: skip
    if not rows:
        return pd.DataFrame()
    found = pd.DataFrame(rows)
    cells = found.groupby(["beside", "measure"], sort=False)["verdict"].agg(_counted).unstack()
    order = found["beside"].value_counts().index
    columns = [title for title in MEASURES.values() if title in cells]
    return cells.loc[order, columns].fillna("").rename_axis(columns=None).reset_index()


def _counted(verdicts: "pd.Series[str]") -> str:
    numbers = verdicts.value_counts()
    return ", ".join(f"{numbers[kind]} {told}" for kind, told in _KINDS.items() if kind in numbers)


def won(runs: Iterable[Run]) -> SimpleNamespace:
    """Of the comparisons under all attacks of a suite, those with networks that do not draw.

    Returns
    -------
    SimpleNamespace
        ``all``, how many; ``better``, ``worse`` and ``apart``, in how many the method is; and
        ``over``, the kinds of controls that it is better than.
    """
    kinds = []
    for run in runs:
        table = run.tables["controls"]
        for row in table[table["measure"].str.startswith(LEAST)].itertuples():
            if not draws(run.config, row.control):
                kinds.append((verdict(row.low, row.high), stands_for(run.config, row.control)))
    found = [(kind, beside) for kind, beside in kinds if beside != OTHER]
    better = [beside for kind, beside in found if kind == "better"]
    return SimpleNamespace(
        all=len(found),
        better=len(better),
        worse=sum(kind == "worse" for kind, _ in found),
        apart=sum(kind == APART for kind, _ in found),
        over="; ".join(dict.fromkeys(better)),
    )


def tries(runs: Iterable[Run]) -> pd.DataFrame:
    """Methods beside controls that draw, by one try of the attacker and by ten.

    A method whose mask is fixed loses nothing to more tries.
    """
    rows = []
    for run in runs:
        if "persistence" not in run.tables:
            continue
        table = run.tables["persistence"]
        table = table[(table["seed"] == ALL) & (table["norm"] == "linf")]
        left = table.set_index(["base", "defence", "suite", "tries"])["accuracy"]
        paired = run.tables["controls"]
        for row in paired[paired["measure"].str.startswith(LEAST)].itertuples():
            suite = row.measure.removeprefix(LEAST)
            key = row.base, row.control, suite
            if (*key, TRIES) not in left.index or draws(run.config, row.defence):
                continue
            more, kind = left[(*key, TRIES)], stands_for(run.config, row.control)
            rows.append(
                {"run": f"`{run.name}`", "method": f"`{row.base}/{row.defence}`",
                 "suite": f"`{suite}`", "n": row.n, "keeps": percent(row.accuracy),
                 "beside": f"`{row.control}`, {kind}",
                 "keeps, one try": percent(row.control_accuracy), "ten tries": percent(more),
                 "then the method is": _beside(row.accuracy, more)}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _beside(share: float, other: float) -> str:
    """As the two are shown: what rounds to the same is level."""
    if percent(share) == percent(other):
        return "level"
    return "above" if share > other else "below"


def gives_way(runs: Iterable[Run]) -> pd.DataFrame:
    """What each way around a part leaves of the first method of each base and suite."""
    rows = []
    for run, of in _first(runs):
        least = min(of.by_way.values())
        cells = {
            title: f"**{percent(left)}**" if left == least else percent(left)
            for way, title in WAYS.items()
            if (left := of.by_way.get(way)) is not None
        }
        network = f"`{of.base}/{of.method}`"
        about = {"run": f"`{run.name}`", "network": network, "suite": f"`{of.suite}`"}
        rows.append(about | {"plain attack": percent(of.plain)} | cells)
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows)
    ways = [title for title in WAYS.values() if title in table]
    return table[[name for name in table if name not in ways] + ways].fillna("")


def furthest(runs: Iterable[Run]) -> str:
    """How often each way gets furthest: ``of nine networks, a soft mask in four, .. in five``."""
    ways = pd.Series([of.hardest_way for _, of in _first(runs)])
    said = [f"{way} in {count(n)}" for way, n in ways.value_counts().items()]
    return f"of {count(len(ways))} network{'s' * (len(ways) != 1)}, " + ", ".join(said)


def _first(runs: Iterable[Run]) -> list[tuple[Run, SimpleNamespace]]:
    """The first method of each base and suite that attacks on its parts did not break whole."""
    found: dict[tuple[str, str, str], tuple[Run, SimpleNamespace]] = {}
    for run in runs:
        for of in suites(run):
            if _PARTS & of.by_way.keys() and of.hardest_accuracy > 0:
                found.setdefault((run.name, of.base, of.suite), (run, of))
    return list(found.values())


def savings(runs: Iterable[Run]) -> pd.DataFrame:
    """BitOPs that the methods of a run save INT8 to INT8, overheads counted, by projection."""
    rows = []
    for run in runs:
        table = run.tables["comparison"].drop_duplicates(["base", "defence"])
        cost = table.set_index(["base", "defence"])["bitops_int8"].dropna()
        paired = run.tables["controls"][["base", "defence"]].drop_duplicates()
        for key in paired.itertuples(index=False, name=None):
            if key in cost.index:
                P = injection_of(run.config, key[1])["projection"]
                about = {"run": f"`{run.name}`", "P": f"`{P['name']}`", "k/d": P["ratio"]}
                rows.append(about | {"method": f"`{key[1]}`", "saved": 1 - cost[key]})
    if not rows:
        return pd.DataFrame()
    found = pd.DataFrame(rows).groupby(["run", "P", "k/d"], sort=False)
    return found.agg(
        methods=("method", lambda names: ", ".join(dict.fromkeys(names))),
        saved=("saved", _range),
    ).reset_index()


def _range(saved: "pd.Series[float]") -> str:
    least, most = percent(saved.min()), percent(saved.max())
    return least if least == most else f"{least} to {most}"
