"""Where a saving comes from, out of the tables of docs/saving.md, for docs/found.md."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from nenni.core.io import read_csv

NETWORK, WAY = "ResNet-18", "this method, 4:8"
HALF, TENTH = 0.5, 0.1
_WORDS = {"speedup": ("faster than", "slower than"), "saved": ("less", "more")}


def saving(folder: Path) -> SimpleNamespace | None:
    """What precision and the method save of one network; None where a table is missing.

    Returns
    -------
    SimpleNamespace
        ``by_precision``, saved by a dense INT8 network against FP32, and ``with_precision``, by
        the method at INT8 on top; ``half`` and ``tenth``, saved by the method INT8 to INT8, and
        the same ``_without`` overheads; ``platforms``, what is said of time and energy on each.
    """
    files = [folder / name for name in ("saving.csv", "saving_verdict.csv")]
    if not all(file.exists() for file in files):
        return None
    table, verdicts = map(read_csv, files)
    at = {
        (baseline, fraction): _row(table, baseline, fraction)
        for baseline in ("fp32", "int8") for fraction in (HALF, TENTH)
    }  # fmt: skip
    half, tenth = at["int8", HALF], at["int8", TENTH]
    here = verdicts[(verdicts["network"] == NETWORK) & (verdicts["way"] == WAY)]
    here = here[here["own_schedule"] & here["speedup_value"].notna()]
    return SimpleNamespace(
        by_precision=at["fp32", HALF].by_precision,
        with_precision=at["fp32", HALF].with_overheads,
        half=half.with_overheads, tenth=tenth.with_overheads,
        half_without=half.without_overheads, tenth_without=tenth.without_overheads,
        platforms=[
            SimpleNamespace(
                preset=row.preset,
                time=told("speedup", row.speedup_low, row.speedup_high, 1),
                energy=told("saved", row.saved_low, row.saved_high, 0),
            )
            for row in here.itertuples()
        ],
    )  # fmt: skip


def _row(table: pd.DataFrame, baseline: str, fraction: float) -> SimpleNamespace:
    where = {
        "network": NETWORK, "exact_bits": 8, "baseline": baseline, "metric": "product",
        "fraction": fraction,
    }  # fmt: skip
    found = table[(table[list(where)] == list(where.values())).all(axis=1)]
    return SimpleNamespace(**found.iloc[0].to_dict())


def told(what: str, low: float, high: float, border: float) -> str:
    """Which side of no change a range over the assumed constants lies on."""
    more, less = _WORDS[what]
    if low > border:
        return more
    if high < border:
        return less
    return "as fast as, within the assumed constants," if what == "speedup" else "about as much"
