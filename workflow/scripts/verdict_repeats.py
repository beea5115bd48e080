"""How often a verdict comes out which way, and how often two repeats contradict each other.

    python workflow/scripts/verdict_repeats.py

Writes results/reference/verdict_repeats.csv. In simulated populations with a known gain, two runs
test a claim on its own data, with other seeds and the same images: the share of runs with each
verdict of nenni/results/verdict.py, and of pairs of runs of which one says that there is an effect
(reproduced, same direction) and the other that it is not reproduced.
"""

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _population import Flags, Population

from nenni.core.io import write_csv
from nenni.evaluation.statistics import difference_interval
from nenni.results.verdict import (
    DIRECTION,
    LARGE,
    NOT_REPRODUCED,
    REPRODUCED,
    SOME,
    UNDECIDED,
    Measured,
    borders,
    verdict,
)

TABLE = Path(__file__).parents[2] / "results" / "reference" / "verdict_repeats.csv"
CLAIMED, SHARES = (0.1474, 0.0189), (-0.5, 0.0, SOME, 0.5, LARGE, 1.0, 1.5)
"""Gains that are claimed, and what is true, over them."""
SEEDS, DEVIATIONS, IMAGES, ACCURACY = (3, 5), (0.005, 0.02), 1000, 0.5
FOUND = (REPRODUCED, DIRECTION, UNDECIDED, NOT_REPRODUCED)


def main() -> None:
    """Simulate and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    rows = [setting | repeated(**setting, trials=asked.trials) for setting in settings()]
    write_csv(asked.out, pd.DataFrame(rows))


def settings() -> Iterator[dict[str, Any]]:
    """All settings of the table."""
    for claimed, deviation, seeds, share in product(CLAIMED, DEVIATIONS, SEEDS, SHARES):
        yield {"claimed": claimed, "deviation": deviation, "seeds": seeds, "true": share * claimed}


def repeated(
    *, claimed: float, deviation: float, seeds: int, true: float, trials: int
) -> dict[str, float]:
    """Shares of the verdicts on a claimed gain, and of pairs that contradict each other.

    Parameters
    ----------
    claimed, true : float
        Gain that is claimed, and that of the population.
    deviation : float
        Of the seeds' gains.
    seeds, trials : int
        Of each run, and pairs of runs.
    """
    population = Population(ACCURACY, true, deviation)
    rng = np.random.default_rng([seeds, trials])
    pairs = []
    for _ in range(trials):
        images = population.images(rng, IMAGES)
        first, second = (population.differences(rng, seeds, images) for _ in range(2))
        pairs.append((judged(first, claimed), judged(second, claimed)))
    found = pd.DataFrame(pairs)
    there, not_there = found.isin([REPRODUCED, DIRECTION]), found == NOT_REPRODUCED
    contrary = (there[0] & not_there[1]) | (there[1] & not_there[0])
    shares = {name: float((found == name).to_numpy().mean()) for name in FOUND}
    return {"trials": trials, **shares, "reversed": float(contrary.mean())}


def judged(differences: Flags, claimed: float) -> str:
    """The verdict of a run on a claimed gain."""
    low, high = difference_interval(differences)
    measured = Measured(float(differences.mean()), low, high, len(differences), differs="")
    return verdict(measured, borders("robust_gain", claimed, None))[2]


if __name__ == "__main__":
    main()
