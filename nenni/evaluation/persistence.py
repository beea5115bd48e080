"""What is left of a randomised network's accuracy where the attacker may try more than once."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nenni.evaluation.statistics import wilson

COUNTS = (1, 3, 10, 30, 100)
COLUMNS = ["tries", "n", "accuracy", "low", "high"]


def persistence(shares: "pd.Series[float]", draws: int) -> pd.DataFrame:
    """Share of images that are classified correctly at each of so many tries at one point.

    Lucas, Jacob, Goldstein, Sharif: Randomness in ML defenses helps persistent attackers and
    hinders evaluators, arXiv 2302.13464: who may try again needs one lucky draw. Of m draws, c of
    them correct, that of k tries none is wrong has the unbiased estimate C(c, k) / C(m, k).

    Parameters
    ----------
    shares : Series
        C / m of each image at its worst point.
    draws : int
        M, the draws on which it was scored.

    Returns
    -------
    DataFrame
        Columns ``tries``, ``n``, ``accuracy``, and its 95 % interval ``low``, ``high``.
    """
    rows = []
    for tries, held in held_for(shares, draws).items():
        low, high = wilson(held.sum(), len(held))
        rows.append((tries, len(held), held.mean(), low, high))
    return pd.DataFrame(rows, columns=COLUMNS)


def held_for(shares: "pd.Series[float]", draws: int) -> dict[int, NDArray[np.float64]]:
    """Tries -> of each image, how likely none of them is wrong; see :func:`persistence`."""
    correct = (shares * draws).round().astype(int)
    counts = (count for count in COUNTS if count <= draws and len(correct))
    return {
        tries: np.array([math.comb(c, tries) / math.comb(draws, tries) for c in correct])
        for tries in counts
    }
