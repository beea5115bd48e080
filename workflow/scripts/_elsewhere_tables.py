"""Table of docs/baselines.md: gaps in robustness that others report, and whether they show here."""

import pandas as pd
from _words import percent

from nenni.evaluation.scoring import WORST
from nenni.results.accuracy import ALL

BASE = "fgsm_rs"
"""Of the run whose rows stand beside."""
HERE = {
    "pni": (("randomised", "pni", "pgd_20"), ("randomised", "pni_off", "pgd_20")),
    "rpf": (("one_draw", "rpf", "pgd_one_draw"), ("randomised", "rpf", "pgd_eot")),
    "k_wta": (("strong", "k_wta", "pgd_20"), ("strong", "k_wta", WORST)),
}
"""Defence -> suite, network and attack of both numbers that are compared."""


def elsewhere(found: pd.DataFrame, suites: pd.DataFrame) -> pd.DataFrame:
    """One row per report: the two accuracies there and here, and how far they lie apart.

    Parameters
    ----------
    found : DataFrame
        What others report: ``first`` and ``second``, accuracies as shares where there are.
    suites : DataFrame
        Of the run.
    """
    rows = []
    for report in found.itertuples():
        of = [_accuracy(suites, *asked) for asked in HERE[str(report.defence)]]
        there = "no number" if pd.isna(report.first) else _both(report.first, report.second)
        here = _both(*(accuracy for accuracy, _ in of)) + f", n = {of[0][1]}"
        rows.append(
            {
                "defence": f"`{report.defence}`",
                "under": report.compared,
                "elsewhere": there if pd.isna(report.network) else f"{there} ({report.network})",
                "by": report.source,
                "here": here,
            }
        )
    return pd.DataFrame(rows)


def _accuracy(suites: pd.DataFrame, suite: str, defence: str, attack: str) -> tuple[float, int]:
    asked = {"suite": suite, "base": BASE, "defence": defence, "attack": attack, "seed": ALL}
    here = suites[(suites[[*asked]] == [*asked.values()]).all(axis=1)]
    row = here.sort_values("n").iloc[-1]
    return float(row["accuracy"]), int(row["n"])


def _both(first: float, second: float) -> str:
    return f"{percent(first)} and {percent(second)} (apart {100 * (first - second):+.1f})"
