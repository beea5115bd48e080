"""Table of docs/baselines.md: gaps in robustness that others report, and whether they show here."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from _words import percent

from nenni.evaluation.scoring import WORST
from nenni.results.accuracy import ALL

BASES = {"cifar10_cpu": "fgsm_rs", "baselines": "pgd_at"}
"""Run whose rows stand beside -> the base of its networks."""
Asked = tuple[str, str, str]
"""Suite, defence and attack."""
HERE: dict[str, dict[str, tuple[Asked, Asked]]] = {
    "cifar10_cpu": {
        "pni": (("randomised", "pni", "pgd_20"), ("randomised", "pni_off", "pgd_20")),
        "rpf": (("one_draw", "rpf", "pgd_one_draw"), ("randomised", "rpf", "pgd_eot")),
        "k_wta": (("strong", "k_wta", "pgd_20"), ("strong", "k_wta", WORST)),
    },
    "baselines": {
        "pni": (("strong", "pni", "pgd_20"), ("strong", "pni_off", "pgd_20")),
        "rpf": (("one_draw", "rpf", "pgd_one_draw"), ("strong", "rpf", "pgd_eot")),
        "k_wta": (("strong", "k_wta_20", "pgd_20"), ("strong", "k_wta_20", WORST)),
    },
}
"""Run -> defence -> where both numbers that are compared stand."""


def elsewhere(found: pd.DataFrame, suites: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per report: the two accuracies there and in each run, and whether a gap shows.

    It shows where the intervals of both do not meet.

    Parameters
    ----------
    found : DataFrame
        What others report: ``first`` and ``second``, accuracies as shares where there are.
    suites : mapping
        Run of :data:`HERE` -> its table of suites.
    """
    rows = []
    for report in found.itertuples():
        there = "no number" if pd.isna(report.first) else _both(report.first, report.second)
        here = {}
        for run, base in BASES.items():
            table = suites[run]
            table = table[(table["base"] == base) & (table["seed"] == ALL)]
            here[f"here, `{run}`"] = _here(table, *HERE[run][str(report.defence)])
        rows.append(
            {
                "defence": f"`{report.defence}`",
                "under": report.compared,
                "elsewhere": there if pd.isna(report.network) else f"{there} ({report.network})",
                "by": report.source,
                **here,
            }
        )
    return pd.DataFrame(rows)


def _here(suites: pd.DataFrame, first: Asked, second: Asked) -> str:
    one, two = (_row(suites, *asked) for asked in (first, second))
    shows = "shows" if one["low"] > two["high"] else "does not show"
    return f"**{shows}**: {_both(one['accuracy'], two['accuracy'])}, n = {one['n']}"


def _row(suites: pd.DataFrame, suite: str, defence: str, attack: str) -> "pd.Series[Any]":
    asked = {"suite": suite, "defence": defence, "attack": attack}
    here = suites[(suites[[*asked]] == [*asked.values()]).all(axis=1)]
    return here.sort_values("n").iloc[-1]


def _both(first: float, second: float) -> str:
    return f"{percent(first)} and {percent(second)} (apart {100 * (first - second):+.1f})"
