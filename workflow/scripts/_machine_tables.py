"""Tables of docs/machines.md: what hangs on which library, and what processors agree on."""

import pandas as pd

from nenni.run.fingerprint import PARTS

_EMULATED = "QEMU"


def told_alone(found: pd.DataFrame) -> pd.DataFrame:
    """Parts that change where one library alone is told what to use, on the first machine."""
    real = _text(found)
    first = (real[["processor", "model"]] == real[["processor", "model"]].iloc[0]).all(axis=1)
    real = real[first & (real["instruction_set"] == "auto")]
    (plain,) = real[real["environment"] == ""].to_dict("records")
    told = [row for row in real.to_dict("records") if row["environment"]]
    rows = [
        {"told": f"`{row['environment']}`", "other bytes in": _differ(row, plain)} for row in told
    ]
    return pd.DataFrame(rows)


def agreement(found: pd.DataFrame) -> pd.DataFrame:
    """Parts in which each processor differs from the first, left alone and pinned."""
    table = _text(found)
    alone = (table["instruction_set"] == "auto") & (table["environment"] != "")
    rows = []
    for name, here in table[~alone].groupby("instruction_set", sort=False):
        first, *others = here.to_dict("records")
        for row in others:
            beside = f"{_named(row)} beside {_named(first)}"
            rows.append(
                {
                    "instruction set": f"`{name}`",
                    "processors": beside,
                    "other bytes in": _differ(row, first),
                }
            )
    return pd.DataFrame(rows)


def slower(found: pd.DataFrame) -> pd.DataFrame:
    """One row per part: how many times as long each instruction set takes as `auto`."""
    others = found[found["instruction_set"] != "auto"]
    rows = []
    for part, here in others.groupby("part", sort=False):
        times = zip(here["instruction_set"], here["over_auto"], strict=True)
        rows.append({"part": part} | {f"`{name}`": f"{over:.2f}" for name, over in times})
    return pd.DataFrame(rows)


def measured_on(found: pd.DataFrame) -> str:
    """The first machine of the table, in words."""
    first = _text(found).iloc[0]
    return f"{first['processor']}, {first['model']}, torch {first['torch']}"


def _text(found: pd.DataFrame) -> pd.DataFrame:
    return found.fillna("").astype(str)


def _named(row: dict[str, str]) -> str:
    name = row["processor"].replace(_EMULATED, "an emulated")
    return f"{name} ({row['model']})" if row["model"] else name


def _differ(row: dict[str, str], other: dict[str, str]) -> str:
    differ = [part.replace("_", " ") for part in PARTS if row[part] != other[part]]
    return "all parts" if len(differ) == len(PARTS) else ", ".join(differ) or "none"
