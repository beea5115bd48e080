"""Tables to which one call after another adds rows."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from nenni.core.io import read_csv, write_csv


def keep(file: Path, found: pd.DataFrame, of: list[str], whole: Sequence[str] = ()) -> None:
    """Add rows to a table, in place of those that agree with one of them in these columns.

    Columns of whole numbers are written with all of their digits, where some cells are empty too.
    """
    if file.exists():
        known = read_csv(file)
        again = pd.MultiIndex.from_frame(known[of]).isin(pd.MultiIndex.from_frame(found[of]))
        found = pd.concat([known[~again], found], ignore_index=True)
    write_csv(file, found.astype(dict.fromkeys(whole, "Int64")))
