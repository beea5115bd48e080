"""How often a 95 % interval over seeds and images holds the truth, in simulated populations.

    python workflow/scripts/coverage_study.py

Writes results/reference/coverage.csv: for accuracies and for paired differences, near 0.5 and near
1, with few and many seeds and images, and seeds that differ little and much, the share of intervals
that hold the accuracy, or the difference, over all seeds and images. Beside the intervals of the
tables (``interval``) three that were not taken: ``bootstrap`` resamples seeds and, once for all of
them, images, and is as wide as the t interval at least; ``t`` is that over the seeds' values alone;
``images_alone`` takes the seeds for all that there are.
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
from nenni.evaluation.statistics import accuracy_interval, difference_interval, t_interval

TABLE = Path(__file__).parents[2] / "results" / "reference" / "coverage.csv"
SEEDS, IMAGES, DEVIATIONS = (2, 3, 5, 10), (160, 1000), (0.005, 0.03)
KINDS = {
    "accuracy": [(0.5, 0.0), (0.95, 0.0)],
    "difference": [(0.5, 0.0), (0.5, 0.05), (0.95, 0.0), (0.95, -0.03)],
}
"""Measure -> accuracies of the (first) network, and gains of the second."""
INTERVALS = {"accuracy": accuracy_interval, "difference": difference_interval}
RESAMPLES = 1000


def main() -> None:
    """Simulate and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    rows = []
    for setting in settings():
        rows.append(setting | {"trials": asked.trials} | compared(setting, asked.trials))
        print(rows[-1], flush=True)
    write_csv(asked.out, pd.DataFrame(rows))


def settings() -> Iterator[dict[str, Any]]:
    """All settings of the table."""
    for measure, kinds in KINDS.items():
        for (accuracy, gain), deviation, n, seeds in product(kinds, DEVIATIONS, IMAGES, SEEDS):
            yield {"measure": measure, "accuracy": accuracy, "gain": gain,
                   "deviation": deviation, "n": n, "seeds": seeds}  # fmt: skip


def experiments(setting: dict[str, Any], trials: int) -> Iterator[tuple[Flags, float]]:
    """Flags (seeds, n) of one experiment after another, and what is true of their population."""
    population = Population(setting["accuracy"], setting["gain"], setting["deviation"])
    rng = np.random.default_rng([setting["n"], setting["seeds"]])
    is_accuracy = setting["measure"] == "accuracy"
    ask = population.accuracies if is_accuracy else population.differences
    truth = setting["accuracy"] if is_accuracy else setting["gain"]
    for _ in range(trials):
        yield ask(rng, setting["seeds"], population.images(rng, setting["n"])), truth


def coverage(setting: dict[str, Any], trials: int) -> float:
    """Share of the tables' intervals that hold the truth."""
    interval = INTERVALS[setting["measure"]]
    found = [(interval(flags), truth) for flags, truth in experiments(setting, trials)]
    return float(np.mean([low <= truth <= high for (low, high), truth in found]))


def compared(setting: dict[str, Any], trials: int) -> dict[str, float]:
    """The same, beside the other intervals, with mean widths of this and the bootstrap's."""
    interval = INTERVALS[setting["measure"]]
    draws = _draws(setting["seeds"]), _draws(setting["n"])
    one = _draws(1), draws[1]
    rows = []
    for flags, truth in experiments(setting, trials):
        lows, highs = zip(bootstrap(flags, *draws), t_interval(flags), strict=True)
        found = {
            "interval": interval(flags),
            "bootstrap": (min(lows), max(highs)),
            "t": t_interval(flags),
            "images_alone": bootstrap(flags.mean(0, keepdims=True), *one),
        }
        held = {name: low <= truth <= high for name, (low, high) in found.items()}
        wide = {f"{name}_width": found[name][1] - found[name][0] for name in [*found][:2]}
        rows.append(held | wide)
    return {name: float(mean) for name, mean in pd.DataFrame(rows).mean().items()}


def bootstrap(flags: Flags, of_seeds: Flags, of_images: Flags) -> tuple[float, float]:
    """95 % percentile interval from resampled seeds and images (Owen, arXiv 0712.1111)."""
    means = (of_seeds * (flags @ of_images.T).T).sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _draws(of: int) -> Flags:
    """How often each of so many is drawn in each resample, over their number."""
    return np.random.default_rng(of).multinomial(of, np.full(of, 1 / of), RESAMPLES) / of


if __name__ == "__main__":
    main()
