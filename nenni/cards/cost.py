"""What a network costs: its layers, described here, and counted by the cost model's own command."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from nenni.cards.schema_cost import BitOps, Cost, Energy, Time
from nenni.core.errors import UserError
from nenni.core.io import read_csv, write_json

CONVENTION = (
    "per image. BitOPs of a multiplication are the bits of one factor times those of the other; "
    "overheads are projection, roundings, selection, mask and added noise. Times are a roofline's "
    "(the larger of what computing and what moving data takes) for a batch of one, energies "
    "Horowitz's at 45 nm: models, not measurements."
)
_TABLES = ("operations", "reductions", "latency", "energy")
_TOTAL = "total"
_DENSE = ("dense_fp32", "dense_fp16", "dense_int8")


def count(layers: dict[str, Any]) -> Cost:
    """Count a network by ``python -m hwmodel``, to which ``layers.json`` is the only bridge.

    Parameters
    ----------
    layers : dict
        From :func:`nenni.describe`.

    Raises
    ------
    UserError
        With what the cost model said, if it cannot count them.
    """
    with TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.csv" for name in _TABLES}
        file = Path(folder) / "layers.json"
        write_json(file, layers)
        asked = [word for name, path in files.items() for word in (f"--{name}", str(path))]
        done = subprocess.run(
            [sys.executable, "-m", "hwmodel", str(file), *asked],
            capture_output=True, text=True, encoding="utf-8", check=False,
        )  # fmt: skip
        if done.returncode:
            raise UserError(f"the cost model cannot count it: {done.stderr.strip()}")
        tables = {name: read_csv(path) for name, path in files.items()}
    return _cost(tables)


def _cost(tables: dict[str, pd.DataFrame]) -> Cost:
    operations = tables["operations"]
    terms = operations.groupby("term", sort=False)["bitops"].sum()
    totals = {name: tables[name].query("layer == @_TOTAL") for name in _TABLES[1:]}
    return Cost(
        convention=CONVENTION,
        metric=str(operations["metric"].iloc[0]),
        terms={str(term): float(bitops) for term, bitops in terms.items()},
        bitops=[_bitops(row) for row in totals["reductions"].to_dict("records")],
        times=[_time(row) for row in totals["latency"].to_dict("records")],
        energies=[_energy(row) for row in totals["energy"].to_dict("records")],
    )


def _bitops(row: dict[Any, Any]) -> BitOps:
    return BitOps(
        baseline=row["baseline"],
        variant=row["variant"],
        evaluated=bool(row["evaluated"]),
        dense=float(row["dense_bitops"]),
        without_overheads=float(row["bitops_without"]),
        with_overheads=float(row["bitops_with"]),
    )


def _time(row: dict[Any, Any]) -> Time:
    seconds = {part: _or_none(row[f"{part}_s"]) for part in _DENSE}
    return Time(platform=row["preset"], **seconds, network=_or_none(row["injected_s"]))


def _energy(row: dict[Any, Any]) -> Energy:
    parts = ("arithmetic", "buffer", "memory")
    dense, network = (
        sum(float(row[f"{which}_{part}_pj"]) for part in parts) for which in ("dense", "injected")
    )
    evaluated = bool(row["evaluated"])
    return Energy(
        platform=row["preset"], bits=int(row["bits"]), evaluated=evaluated, dense=dense,
        network=network,
    )  # fmt: skip


def _or_none(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
