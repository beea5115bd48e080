"""What the tables of the post-training studies share: their columns, their fits, their rows."""

from pathlib import Path
from typing import Any

from nenni.core.errors import UserError
from nenni.core.io import read_csv
from nenni.evaluation.statistics import wilson

COLUMNS = ["network", "factor", "value", "errors", "n", "accuracy", "low", "high"]
COLUMNS += ["relative_error", "recall", "fraction", "seconds"]
FIT_IMAGES, REPORT_IMAGES, DRAWS = 500, 500, 3
"""Training images of a fit, test images of a report, draws of a randomised network: of ResNets."""
FITS: dict[str, dict[str, Any]] = {
    f"{inputs}, {batch_norms}": {"inputs": inputs, "batch_norms": batch_norms}
    for inputs in ("exact", "injected")
    for batch_norms in ("kept", "measured")
}
"""Name -> what :func:`nenni.fit` is told: on what layers are fitted, and what batch norms do."""
BEFORE, DEFAULT_FIT = "exact, kept", "exact, measured"
"""The default that was, and the one that is."""
BLOCK_EPOCHS = 4
MORE_FITS: dict[str, dict[str, Any]] = {
    f"{DEFAULT_FIT}, bias correction": FITS[DEFAULT_FIT] | {"bias_correction": True},
    f"{DEFAULT_FIT}, blocks": FITS[DEFAULT_FIT] | {"block_epochs": BLOCK_EPOCHS},
}
"""Further choices, each beside the default."""


def fit_value(fraction: float, projection: str, fit: str) -> str:
    """The value of a row of the factor `fit`: top-k at a fraction, P, and a name of FITS."""
    return f"{fraction:g} x {projection}: {fit}"


def told(wrong: float, n: int) -> dict[str, float]:
    """Errors, their number of images, and accuracy with its 95 % interval."""
    low, high = wilson(n - wrong, n)
    return {"errors": wrong, "n": n, "accuracy": 1 - wrong / n, "low": low, "high": high}


def place(row: dict[str, Any]) -> tuple[str, str]:
    """What names a row: its factor and value, as they were before pandas read a number."""
    return row["factor"], _text(row["value"])


def rows_so_far(file: Path) -> list[dict[str, Any]]:
    """Rows of a study that was stopped; none where there is no file.

    Raises
    ------
    UserError
        If the file has other columns, as one of an earlier version.
    """
    if not file.exists():
        return []
    table = read_csv(file)
    if [*table.columns] != COLUMNS:
        raise UserError(
            f"{file}: has other columns than this study ({', '.join(COLUMNS)}); remove it, or give "
            "another --out"
        )
    rows: list[dict[str, Any]] = table.to_dict("records")
    return rows


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:g}"
    return str(value)
