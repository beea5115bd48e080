"""From flags per example to accuracies with intervals: per seed, and over seeds and images."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nenni.evaluation.scoring import robust, robust_at_any
from nenni.evaluation.statistics import accuracy_interval, wilson

Key = tuple[str, str, int]
"""Base, defence and seed of an experiment."""
Flags = dict[tuple[str, float], NDArray[np.float64]]
"""(Evaluation, eps) -> correct or not per image; eps 0 stands for the clean images."""
ANY = " any"
"""Added to an evaluation's name where the worst point that it tried counts, not the last."""
ALL = "all"
"""In the column ``seed``: over all seeds."""
CROSSED, ONE_SEED = "seeds and images", "one seed: images only"
"""What an interval holds."""
COLUMNS = [
    "base", "defence", "evaluation", "eps", "seed", "n", "seeds", "accuracy", "deviation", "low",
    "high", "values", "interval",
]  # fmt: skip


def flags_of(evaluation: str, examples: pd.DataFrame) -> Flags:
    """Correct flags per eps of one evaluation's examples, with the clean ones as eps 0.

    Those under the worst point that the attack tried stand beside them, under a name with
    :data:`ANY`.

    Raises
    ------
    ValueError
        If the rows of an eps are not the images 0 to n - 1, as in a file that was cut short.
    """
    if any(sorted(rows["index"]) != list(range(examples["index"].max() + 1))
           for _, rows in examples.groupby("eps")):  # fmt: skip
        raise ValueError("some examples are missing")
    result: Flags = {}
    for eps, rows in examples.groupby("eps"):
        rows = rows.sort_values("index")
        result.setdefault((evaluation, 0.0), rows["clean_correct"].to_numpy(dtype=float))
        result[evaluation, float(str(eps))] = robust(rows).to_numpy(dtype=float)
        result[evaluation + ANY, float(str(eps))] = robust_at_any(rows).to_numpy(dtype=float)
    return result


def accuracy_table(flags: Mapping[Key, Flags]) -> pd.DataFrame:
    """Accuracy of every experiment, evaluation and eps.

    Returns
    -------
    DataFrame
        One row per seed, with a Wilson interval, and one for all seeds (``seed`` "all"): the mean,
        the deviation over the seeds, each seed's value (``values``) and an interval over seeds and
        images; ``interval`` says where it holds images only.
    """
    rows = []
    for (base, defence), seeds in _by_defence(flags).items():
        keys = dict.fromkeys(key for seed in seeds for key in flags[base, defence, seed])
        for evaluation, eps in keys:
            where = {"base": base, "defence": defence, "evaluation": evaluation, "eps": eps}
            present = [s for s in seeds if (evaluation, eps) in flags[base, defence, s]]
            stack = np.stack([flags[base, defence, s][evaluation, eps] for s in present])
            for seed, correct in zip(present, stack, strict=True):
                low, high = wilson(correct.sum(), correct.size)
                rows.append(
                    {**where, "seed": str(seed), "n": correct.size, "seeds": 1,
                     "accuracy": correct.mean(), "low": low, "high": high, "interval": ONE_SEED}
                )  # fmt: skip
            rows.append({**where, **over_seeds(present, stack)})
    return pd.DataFrame(rows, columns=COLUMNS)


def over_seeds(seeds: Iterable[int], flags: NDArray[np.float64]) -> dict[str, object]:
    """Columns of an accuracy over all seeds, whose flags are (seeds, n)."""
    low, high = accuracy_interval(flags)
    return {
        "seed": ALL, "n": flags.shape[1], "seeds": len(flags), "accuracy": flags.mean(),
        "deviation": flags.mean(1).std(ddof=1) if len(flags) > 1 else np.nan,
        "low": low, "high": high, "values": per_seed(seeds, flags.mean(1)),
        "interval": CROSSED if len(flags) > 1 else ONE_SEED,
    }  # fmt: skip


def per_seed(seeds: Iterable[object], values: Iterable[float]) -> str:
    """Each seed's value in one cell: ``0:0.7310 1:0.7710``."""
    return " ".join(f"{seed}:{value:.4f}" for seed, value in zip(seeds, values, strict=True))


def _by_defence(flags: Mapping[Key, Flags]) -> dict[tuple[str, str], list[int]]:
    grouped: dict[tuple[str, str], list[int]] = {}
    for base, defence, seed in flags:
        grouped.setdefault((base, defence), []).append(seed)
    return grouped
