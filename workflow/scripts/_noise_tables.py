"""The table of docs/results.md in which the noise is turned up and down."""

import pandas as pd
from _words import percent, shown

from nenni.evaluation.statistics import wilson


def swept(sweep: pd.DataFrame) -> pd.DataFrame:
    """Accuracies with the intervals of their images, by k/d and the share of exact neurons."""
    first = next(sweep.itertuples())
    return pd.DataFrame(
        {
            "k/d": sweep["ratio"].map("{:g}".format),
            "exact neurons": sweep["fraction"].map(percent),
            "relative error of z~": sweep["relative_error"].map("{:.2f}".format),
            "clean": _told(sweep, "clean"),
            f"{first.attack}, eps {shown(first)}": _told(sweep, "robust"),
        }
    )


def _told(sweep: pd.DataFrame, column: str) -> list[str]:
    shares = zip(sweep[column], sweep["n"], strict=True)
    return [
        "{} ({} to {})".format(*(percent(s, 0) for s in (share, *wilson(share * n, n))))
        for share, n in shares
    ]
