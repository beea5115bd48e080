"""Small tables of runs, as they are committed, made here."""

from pathlib import Path
from typing import Any

import pandas as pd
from page_cases import page_tables
from table_cases import COLUMNS

from nenni.results.comparison import comparison

LETTERS = {"good": "y" * 400, "half": "yynnyynnyy" * 40, "bad": "n" * 400}


def controls(**changes: Any) -> pd.DataFrame:
    """topk_50 beside two controls of the default run's config, on three measures."""
    rows = [
        {"base": "pgd_at", "defence": "topk_50", "control": control, "measure": measure,
         "norm": "linf", "eps": 0.3, "n": 50, "seeds": 5, "accuracy": 0.5, "control_accuracy": 0.6,
         "difference": -0.1, "low": -0.2, "high": -0.05, "values": "0:-0.1"} | changes
        for control in ("none_ft", "random_50") for measure in ("clean", "pgd_20", "least of strong")
        if not (control == "random_50" and measure.startswith("least"))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def suites(topk_50: dict[str, float], none_ft: dict[str, float]) -> pd.DataFrame:
    """Accuracies under attacks of the suite ``strong``, and under all of them."""
    rows = []
    for defence, left in (("topk_50", topk_50), ("none_ft", none_ft)):
        for attack, accuracy in {"clean": 1.0, **left, "all attacks": min(left.values())}.items():
            rows.append(
                {"base": "pgd_at", "defence": defence, "seed": "all", "suite": "strong",
                 "attack": attack, "norm": "linf", "eps": 0.3, "n": 50, "accuracy": accuracy,
                 "low": accuracy - 0.05, "high": accuracy + 0.05, "seeds": 5}
            )  # fmt: skip
    return pd.DataFrame(rows)


def persistence() -> pd.DataFrame:
    return pd.DataFrame(
        {"base": "pgd_at", "defence": "random_50", "seed": "all", "suite": "randomised",
         "norm": "linf", "tries": tries, "n": 40, "accuracy": left}
        for tries, left in ((1, 0.5), (10, 0.25))
    )  # fmt: skip


BROKEN = {"pgd_20": 0.8, "apgd_pm": 0.6, "soft_mask": 0.5, "bpda": 0.7, "square": 0.6}
HONEST = {"pgd_20": 0.8, "apgd_pm": 0.78, "square": 0.82}


def compared() -> pd.DataFrame:
    made = page_tables()
    names = ("main", "crossovers", "energy", "suites")
    return comparison(**{name: made[name] for name in names}, columns=COLUMNS)


def committed(folder: Path, run: str = "mnist5k", **tables: pd.DataFrame) -> Path:
    """A folder like ``results/reference`` with the tables of a run."""
    (folder / run).mkdir()
    found = {
        "controls": controls(), "suites": suites(BROKEN, HONEST), "comparison": compared(), **tables
    }  # fmt: skip
    for name, table in found.items():
        table.to_csv(folder / run / f"{name}.csv", index=False)
    return folder


def repair(**settings: tuple[str, float]) -> pd.DataFrame:
    """Setting -> which of 400 images it holds, and what it saves; the control holds all."""
    rows = [
        {"data": "mnist", "seed": seed, "setting": setting, "selection": "top-k 50 %", "bits": 4,
         "ratio": 0.5, "training": "as its base", "clean": 0.9, "pgd_20": 0.8, "least": 0.7, "n": 400,
         "saved": saved, "seconds": 20.0 if setting != "none_ft" else 10.0, "held": LETTERS[held]}
        for setting, (held, saved) in {"none_ft": ("good", 0.0), **settings}.items()
        for seed in (0, 1, 2)
    ]  # fmt: skip
    return pd.DataFrame(rows)
