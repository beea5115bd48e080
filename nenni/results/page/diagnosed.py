"""What the diagnostics found of each network, in sentences."""

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from nenni.evaluation.diagnose import TRUSTWORTHY
from nenni.evaluation.scoring import ALL_CHECKS

_PASS, _FAIL = "pass", "fail"
_WORST_FIRST = {_FAIL: "failed", "too few images": "too few images to say", "note": "a note"}
"""Verdict of a check -> what stands before its sentence."""


@dataclass(frozen=True)
class Finding:
    """A check that a network did not simply pass.

    Attributes
    ----------
    verdict, check, sentence : str
        How it ended, what it is called, and what was measured with what it means.
    """

    verdict: str
    check: str
    sentence: str


@dataclass(frozen=True)
class Diagnosed:
    """What was found of one network.

    Attributes
    ----------
    network : str
        Defence, base and seed.
    sign : "good", "bad" or "open"
        Whether the attacks can be believed.
    verdict : str
        The same in a sentence.
    findings : list of Finding
        The worst first.
    passed : list of str
        Names of the checks that it passed.
    """

    network: str
    sign: Literal["good", "bad", "open"]
    verdict: str
    findings: list[Finding]
    passed: list[str]


def diagnosed(diagnostics: pd.DataFrame) -> list[Diagnosed]:
    """Each network's verdict and checks, in the order of the table.

    Parameters
    ----------
    diagnostics : DataFrame
        The rows of :func:`nenni.evaluation.diagnose.diagnose`, of all experiments.
    """
    keys = ["base", "defence", "seed"]
    return [
        of_network(f"{defence} on {base}, seed {seed}", rows.to_dict("records"))
        for (base, defence, seed), rows in diagnostics.groupby(keys, sort=False)
    ]


def of_network(network: str, rows: list[dict[Any, Any]]) -> Diagnosed:
    """One network's verdict and checks, its rows as mappings."""
    checks = [row for row in rows if row["name"] != ALL_CHECKS]
    words = [str(row["meaning"]) for row in rows if row["name"] == ALL_CHECKS]
    verdicts = {row["verdict"] for row in rows}
    order = [*_WORST_FIRST, *sorted(verdicts - {_PASS, *_WORST_FIRST})]
    findings = [
        Finding(_WORST_FIRST.get(verdict, verdict), row["name"], _sentence(row))
        for verdict in order
        for row in checks
        if row["verdict"] == verdict
    ]
    passed = [row["name"] for row in checks if row["verdict"] == _PASS]
    sign: Literal["bad", "good", "open"] = "good" if words == [TRUSTWORTHY] else "open"
    return Diagnosed(
        network, "bad" if _FAIL in verdicts else sign, "; ".join(words), findings, passed
    )


def _sentence(row: dict[Any, Any]) -> str:
    value, limit, meaning = row["value"], row["threshold"], str(row["meaning"])
    return (
        f"{100 * value:.1f} % where at most {100 * limit:.1f} % is no fault: "
        f"{meaning[:1].lower() + meaning[1:] if meaning[1:2].islower() else meaning}."
    )
