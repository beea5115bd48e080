"""Tables of docs/found.md and docs/found_runs.md."""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from _found import Run
from _found_words import WAYS, points, stands_for, verdict, way
from _words import percent

from nenni.core import radius
from nenni.evaluation.scoring import WORST
from nenni.evaluation.statistics import difference_interval
from nenni.evaluation.suite_result import CLEAN
from nenni.results.accuracy import ALL

MARGIN, SAVED = 0.02, 0.4
"""A repair has at least the control's accuracy less this, and saves at least so many BitOPs."""
CONTROL = "none_ft"
_CONTROLS = {CONTROL: "the same training without noise", "none": "the network as it was given"}
"""What methods are beside under a suite: the first of these that a run has."""
LEAST = "least of "
"""Begins the measures that are the least over a suite's attacks."""


def beside_controls(run: Run) -> pd.DataFrame:
    """Each method less each control, by measure: the verdict, and the difference in points."""
    table = run.tables["controls"]
    measures = told_measures(run)
    rows = []
    for (base, defence, control), here in table.groupby(["base", "defence", "control"], sort=False):
        cells = {
            title: f"{verdict(row.low, row.high)}, {points(row)}"
            for measure, title in measures.items()
            for row in here[here["measure"] == measure].itertuples()
        }
        rows.append(
            {"method": f"`{base}/{defence}`", "less": f"`{control}`",
             "which is": stands_for(run.config, control)} | cells
        )  # fmt: skip
    return pd.DataFrame(rows).fillna("")


def told_measures(run: Run) -> dict[str, str]:
    """Those of the table of controls that are told: clean images, PGD-20, and the suites."""
    there = dict.fromkeys(run.tables["controls"]["measure"])
    told = {"clean": "clean", "pgd_20": "PGD-20"}
    suites = {m: f"all attacks of `{m.removeprefix(LEAST)}`" for m in there if m.startswith(LEAST)}
    return {m: title for m, title in told.items() if m in there} | suites


def suites(run: Run) -> list[SimpleNamespace]:
    """Each method with its control under a suite that both received, over all seeds.

    Returns
    -------
    list of SimpleNamespace
        ``base``, ``method``, ``suite``, ``eps`` (told), ``n``; ``control`` and ``other``, what it
        is in words; ``plain`` and ``least``, what the plain attack and all attacks leave of the
        method, and of the control (``control_plain``, ``control_least``); ``by_way``, the least
        accuracy by each way of attack on all images (``control_by_way``);
        ``hardest``, the attack that leaves least; ``paired``, the row of paired differences; and
        ``table``, all attacks.
    """
    table = run.tables["suites"]
    here = table[(table["seed"] == ALL) & (table["norm"] == "linf")]
    paired = run.tables["controls"]
    beside = next((name for name in _CONTROLS if (paired["control"] == name).any()), CONTROL)
    paired = paired[(paired["control"] == beside) & paired["measure"].str.startswith(LEAST)]
    return [_under_suite(run, here, row) for row in paired.itertuples()]


def _under_suite(run: Run, table: pd.DataFrame, row: Any) -> SimpleNamespace:
    suite = row.measure.removeprefix(LEAST)
    here = table[(table["suite"] == suite) & (table["base"] == row.base)]
    ours, theirs = (
        here[here["defence"] == name].sort_values("n", ascending=False, kind="stable")
        for name in (row.defence, row.control)
    )
    most = ours["n"].max()
    first, other = (t.drop_duplicates("attack").set_index("attack") for t in (ours, theirs))
    single = first.drop(index=[CLEAN, WORST])
    ways = {name: way(run.config.attacks[name]) for name in single.index}
    whole = single[single["n"] == most]
    by_way, control_by_way = (
        t.loc[t.index.isin(whole.index), "accuracy"].groupby(pd.Series(ways)).min().to_dict()
        for t in (whole, other)
    )
    plain = next(iter(single.index))
    rows = []
    for name, found in single.sort_values("accuracy", kind="stable").iterrows():
        known = name in other.index
        rows.append(
            {
                "attack": f"`{name}`",
                "by": WAYS[ways[name]],
                "n": int(found["n"]),
                f"`{row.defence}`": percent(found["accuracy"]),
                f"`{row.control}`": percent(other.loc[name, "accuracy"]) if known else "",
            }
        )
    hardest = whole["accuracy"].idxmin()
    return SimpleNamespace(
        base=row.base, method=row.defence, suite=suite, eps=radius.shown(row.eps, "linf"),
        n=int(most), seeds=int(row.seeds), plain_name=plain, plain=single.loc[plain, "accuracy"],
        least=first.loc[WORST, "accuracy"], control_plain=other.loc[plain, "accuracy"],
        control_least=other.loc[WORST, "accuracy"], by_way=by_way,
        control_by_way=control_by_way, hardest=hardest,
        hardest_way=WAYS[ways[hardest]], hardest_accuracy=whole.loc[hardest, "accuracy"],
        paired=row, control=row.control, other=_CONTROLS[row.control], table=pd.DataFrame(rows),
    )  # fmt: skip


def survival(runs: Iterable[Run]) -> pd.DataFrame:
    """What is lost beyond the plain attack: the first method of each base and suite."""
    rows = []
    for run in runs:
        first: dict[tuple[str, str], SimpleNamespace] = {}
        for of in suites(run):
            first.setdefault((of.base, of.suite), of)
        for of in first.values():
            several = len(of.table) > 1  # of one attack nothing is lost beyond the plain one
            lost = [
                percent(least) + f" (lost {100 * max(plain - least, 0):.1f})" * several
                for plain, least in ((of.plain, of.least), (of.control_plain, of.control_least))
            ]
            rows.append(
                {"run": f"`{run.name}`", "network": f"`{of.base}/{of.method}`",
                 "suite": f"`{of.suite}`, {of.eps}", "n": of.n, "seeds": of.seeds,
                 "all attacks leave": lost[0], "beside": f"`{of.control}`: {lost[1]}",
                 "difference": f"{verdict(of.paired.low, of.paired.high)}, {points(of.paired)}",
                 "furthest": f"`{of.hardest}`"}
            )  # fmt: skip
    return pd.DataFrame(rows)


def randomised(run: Run) -> pd.DataFrame:
    """What a persistent attacker leaves of networks that draw, by tries."""
    if "persistence" not in run.tables:
        return pd.DataFrame()
    table = run.tables["persistence"]
    here = table[(table["seed"] == ALL) & (table["norm"] == "linf")]
    rows = []
    for (base, defence, suite), mine in here.groupby(["base", "defence", "suite"], sort=False):
        left = mine.set_index("tries")["accuracy"]
        tries = {f"{t} tries" if t > 1 else "one try": percent(left[t]) for t in left.index}
        words = {"network": f"`{base}/{defence}`", "which is": stands_for(run.config, defence)}
        rows.append(words | {"suite": f"`{suite}`", "n": int(mine["n"].max())} | tries)
    return pd.DataFrame(rows).fillna("")


def repaired(table: pd.DataFrame) -> pd.DataFrame:
    """Each setting of the repair study over its seeds, with its difference to the control.

    Returns
    -------
    DataFrame
        ``data``, ``setting``, ``selection``, ``bits``, ``ratio``, ``training``, ``seeds``, ``n``,
        ``clean``, ``pgd_20``, ``least``, ``saved``, ``seconds`` (over the control's),
        ``difference`` with ``low`` and ``high`` (of the least, paired; shares), and ``repaired``:
        yes, no or undecided.
    """
    rows = []
    for (data, setting), mine in table.groupby(["data", "setting"], sort=False):
        control = table[(table["data"] == data) & (table["setting"] == CONTROL)]
        both = mine.merge(control, on="seed", suffixes=("", "_control"))
        if both.empty:
            continue
        stack = np.stack(
            [_flags(a) - _flags(b) for a, b in zip(both["held"], both["held_control"], strict=True)]
        )
        low, high = difference_interval(stack)
        about = ["selection", "bits", "ratio", "training"]
        row = {"data": data, "setting": setting, **both.iloc[0][about].to_dict()}
        row |= {"seeds": len(both), "n": stack.shape[1]}
        row |= {name: both[name].mean() for name in ("clean", "pgd_20", "least", "saved")}
        row["seconds"] = (both["seconds"] / both["seconds_control"]).mean()
        row |= {"difference": stack.mean(), "low": low, "high": high}
        rows.append(row | {"repaired": _is_repair(low, high, row["saved"])})
    return pd.DataFrame(rows)


def _flags(held: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([letter == "y" for letter in held], dtype=float)


def _is_repair(low: float, high: float, saved: float) -> str:
    if saved < SAVED or high < -MARGIN:
        return "no"
    return "yes" if low >= -MARGIN else "undecided"


def by_data(found: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """What :func:`repaired` gives, data by data."""
    for data, rows in found.groupby("data", sort=False):
        yield str(data), rows


def tried(found: pd.DataFrame) -> pd.DataFrame:
    """Without networks that nothing is injected into."""
    return found[~found["setting"].str.startswith(CONTROL)]


def nearest(found: pd.DataFrame) -> "pd.Series[Any]":
    """The setting whose accuracy under all attacks is highest beside the control's."""
    settings = tried(found)
    return settings.loc[settings["difference"].idxmax()]


def names(settings: pd.DataFrame, answer: str) -> str:
    """The settings that are a repair, or that are undecided, with their difference in points."""
    found = settings[settings["repaired"] == answer]
    return ", ".join(f"`{row.setting}`, {points(row)}" for row in found.itertuples())


def repair_table(found: pd.DataFrame) -> pd.DataFrame:
    """The same for the eye, best first."""
    order = found.sort_values("difference", ascending=False, kind="stable")
    is_control, plain = order["setting"] == CONTROL, order["setting"].str.startswith(CONTROL)
    return pd.DataFrame(
        {
            "setting": "`" + order["setting"] + "`",
            "selection": order["selection"],
            "bits": order["bits"],
            "k/d": order["ratio"],
            "trained on": order["training"],
            "clean": order["clean"].map(percent),
            "PGD-20": order["pgd_20"].map(percent),
            "least": order["least"].map(percent),
            f"less `{CONTROL}`": [
                "" if same else points(row)
                for same, row in zip(is_control, order.itertuples(), strict=True)
            ],
            "BitOPs saved": order["saved"].map(percent),
            "training time": order["seconds"].map("{:.1f}x".format),
            "repaired": order["repaired"].mask(plain, ""),
        }
    )
