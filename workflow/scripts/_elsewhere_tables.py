"""Table of docs/baselines.md: gaps in robustness that others report, and whether they show here."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from _words import percent

from nenni.evaluation.scoring import WORST
from nenni.results.accuracy import ALL

Asked = tuple[str, str, str, str]
"""Base, suite, defence and attack."""
HERE: dict[str, dict[str, tuple[Asked, Asked]]] = {
    "cifar10_cpu": {
        "pni": (
            ("fgsm_rs", "randomised", "pni", "pgd_20"),
            ("fgsm_rs", "randomised", "pni_off", "pgd_20"),
        ),
        "rpf": (
            ("fgsm_rs", "one_draw", "rpf", "pgd_one_draw"),
            ("fgsm_rs", "randomised", "rpf", "pgd_eot"),
        ),
        "k_wta": (
            ("fgsm_rs", "strong", "k_wta", "pgd_20"),
            ("fgsm_rs", "strong", "k_wta", WORST),
        ),
    },
    "baselines": {
        "pni": (
            ("pgd_at", "strong", "pni", "pgd_20"),
            ("pgd_at", "strong", "pni_off", "pgd_20"),
        ),
        "rpf": (
            ("pgd_at", "one_draw", "rpf", "pgd_one_draw"),
            ("pgd_at", "strong", "rpf", "pgd_eot"),
        ),
        "k_wta": (
            ("pgd_at", "strong", "k_wta_20", "pgd_20"),
            ("pgd_at", "strong", "k_wta_20", WORST),
        ),
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
        here = {f"here, `{run}`": _here(suites[run], *HERE[run][report.defence]) for run in HERE}
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


def _row(
    suites: pd.DataFrame, base: str, suite: str, defence: str, attack: str
) -> "pd.Series[Any]":
    asked = {"suite": suite, "base": base, "defence": defence, "attack": attack, "seed": ALL}
    here = suites[(suites[[*asked]] == [*asked.values()]).all(axis=1)]
    return here.sort_values("n").iloc[-1]


def _both(first: float, second: float) -> str:
    return f"{percent(first)} and {percent(second)} (apart {100 * (first - second):+.1f})"
