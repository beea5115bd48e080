"""Table of docs/results.md in which each choice of the method is exchanged in turn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from _words import change, fewer, percent

from nenni.evaluation.scoring import WORST
from nenni.results.accuracy import ALL
from nenni.run.claim_arms import told
from nenni.run.config_file import load_config

CONFIG = Path(__file__).parents[2] / "config" / "choices.yaml"
USUAL, CONTROL, SUITE = "topk_50", "none_ft", "strong"
"""The defence that the others are changed from, what all are set beside, and under what."""


def exchanged(main: pd.DataFrame, suites: pd.DataFrame, controls: pd.DataFrame) -> pd.DataFrame:
    """One row per defence that injects: accuracies, and what it gives beside none of it.

    Parameters
    ----------
    main, suites, controls : DataFrame
        Tables of the run.
    """
    config = load_config(CONFIG)
    chosen = {
        name: config.injection | defence.injection
        for name, defence in config.defences.items()
        if defence.injection is not None
    }
    left = suites[(suites["attack"] == WORST) & (suites["seed"] == ALL)]
    kept = left.set_index("defence")["accuracy"]
    rows = []
    for name, injection in chosen.items():
        (found,) = main[main["defence"] == name].itertuples()
        beside = controls[(controls["defence"] == name) & (controls["control"] == CONTROL)]
        least = beside.set_index("measure").loc[f"least of {SUITE}"]
        rows.append(
            {
                "choice": f"`{name}`",
                "differs in": differs(injection, chosen[USUAL]),
                "clean": percent(found.clean),
                "PGD-20": percent(found.pgd_20),
                "all attacks": percent(kept[name]),
                f"beside `{CONTROL}`, by those that both received": change(
                    *least[["difference", "low", "high"]]
                ),
                "BitOPs to dense FP32": fewer(found.bitops_fp32_with),
            }
        )
    return pd.DataFrame(rows)


def tally(controls: pd.DataFrame) -> str:
    """How many defences lie apart from the control by the attacks that both received."""
    least = controls[controls["measure"] == f"least of {SUITE}"]
    least = least[least["control"] == CONTROL]
    worse, better = (least["high"] < 0).sum(), (least["low"] > 0).sum()
    return f"worse in {worse} of {len(least)}, better in {better}"


def differs(injection: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    """The keys that differ from the usual ones, with their values."""
    other = {key: value for key, value in injection.items() if value != usual[key]}
    return ", ".join(f"{key} {_told(value)}" for key, value in other.items())


def _told(value: Any) -> str:
    if isinstance(value, dict):
        inner = {key: _told(part) for key, part in value.items() if key != "name"}
        return told({"name": value.get("name", "")}, inner).strip()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
