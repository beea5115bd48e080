"""Where a saving comes from, out of the tables of docs/saving.md, for docs/found.md."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from nenni.core.io import read_csv
from nenni.run.config_file import read_yaml

NETWORK, WAY = "ResNet-18", "this method, 4:8"
PROJECTIONS = {"ternary": "a sparse P", "ternary:shared": "the same P at every tap"}
HALF, TENTH = 0.5, 0.1
CONFIG = Path(__file__).parents[2] / "config" / "saving.yaml"
_WORDS = {"speedup": ("faster than", "slower than"), "saved": ("less", "more")}


def saving(folder: Path) -> SimpleNamespace | None:
    """What precision and the method save of one network; None where a table is missing.

    Returns
    -------
    SimpleNamespace
        ``network``, ``ratio`` k/d; ``by_precision``, saved by a dense INT8 network against FP32;
        ``by``, for each projection its ``P`` in words, ``with_precision``, what the method at
        INT8 saves against FP32, ``half`` and ``tenth``, what it saves INT8 to INT8, and the same
        ``_without`` overheads; ``platforms``, what is said of time and energy on each.
    """
    files = [folder / name for name in ("saving.csv", "saving_verdict.csv")]
    if not all(file.exists() for file in files):
        return None
    table, verdicts = map(read_csv, files)
    here = verdicts[(verdicts["network"] == NETWORK) & (verdicts["way"] == WAY)]
    here = here[here["own_schedule"] & here["speedup_value"].notna()]
    by = [_of(table, projection) for projection in PROJECTIONS]
    return SimpleNamespace(
        network=NETWORK,
        ratio=read_yaml(CONFIG)["ratio"],
        by=by,
        by_precision=by[0].by_precision,
        platforms=[
            SimpleNamespace(
                preset=row.preset,
                time=told("speedup", row.speedup_low, row.speedup_high, 1),
                energy=told("saved", row.saved_low, row.saved_high, 0),
            )
            for row in here.itertuples()
        ],
    )


def _of(table: pd.DataFrame, projection: str) -> SimpleNamespace:
    table = table[table["projection"] == projection]
    against_fp32 = _row(table, "fp32", HALF)
    half, tenth = (_row(table, "int8", fraction) for fraction in (HALF, TENTH))
    return SimpleNamespace(
        P=PROJECTIONS[projection],
        by_precision=against_fp32.by_precision,
        with_precision=against_fp32.with_overheads,
        half=half.with_overheads, tenth=tenth.with_overheads,
        half_without=half.without_overheads, tenth_without=tenth.without_overheads,
    )  # fmt: skip


def _row(table: pd.DataFrame, baseline: str, fraction: float) -> SimpleNamespace:
    where = {
        "network": NETWORK, "exact_bits": 8, "baseline": baseline, "metric": "product",
        "fraction": fraction,
    }  # fmt: skip
    ((_, found),) = table[(table[list(where)] == list(where.values())).all(axis=1)].iterrows()
    return SimpleNamespace(**found.to_dict())


def told(what: str, low: float, high: float, border: float) -> str:
    """Which side of no change a range over the assumed constants lies on."""
    more, less = _WORDS[what]
    if low > border:
        return more
    if high < border:
        return less
    return "as fast as, within the assumed constants," if what == "speedup" else "about as much"
