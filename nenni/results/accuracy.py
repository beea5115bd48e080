"""From flags per example to accuracies with intervals, and paired comparisons of defences."""

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nenni.evaluation.scoring import robust, robust_at_any
from nenni.evaluation.statistics import bootstrap_weights, clustered_interval, mcnemar, wilson

Key = tuple[str, str, int]
"""Base, defence and seed of an experiment."""
Flags = dict[tuple[str, float], NDArray[np.float64]]
"""(Evaluation, eps) -> correct or not per image; eps 0 stands for the clean images."""
ANY = " any"
"""Added to an evaluation's name where the worst point that it tried counts, not the last."""
ALL = "all"
_WHERE = ["evaluation", "eps", "seed", "n", "seeds"]
ACCURACY_COLUMNS = ["base", "defence", *_WHERE, "accuracy", "deviation", "low", "high"]
PAIRED_COLUMNS = ["base", "defence", "control", *_WHERE, "difference", "low", "high", "p"]


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


def accuracy_table(flags: Mapping[Key, Flags], resamples: int) -> pd.DataFrame:
    """Accuracy of every experiment, evaluation and eps.

    Returns
    -------
    DataFrame
        One row per seed, with a Wilson interval, and one for all seeds (``seed`` "all"): the mean,
        the deviation over the seeds, and a bootstrap interval clustered by image.
    """
    rows = []
    weights: dict[int, NDArray[np.float64]] = {}
    for (base, defence), seeds in _by_defence(flags).items():
        keys = dict.fromkeys(key for seed in seeds for key in flags[base, defence, seed])
        for evaluation, eps in keys:
            where = {"base": base, "defence": defence, "evaluation": evaluation, "eps": eps}
            present = [s for s in seeds if (evaluation, eps) in flags[base, defence, s]]
            stack = np.stack([flags[base, defence, s][evaluation, eps] for s in present])
            n = stack.shape[1]
            for seed, correct in zip(present, stack, strict=True):
                low, high = wilson(correct.sum(), n)
                rows.append(
                    {**where, "seed": str(seed), "n": n, "seeds": 1, "accuracy": correct.mean(),
                     "deviation": np.nan, "low": low, "high": high}
                )  # fmt: skip
            if n not in weights:
                weights[n] = bootstrap_weights(n, resamples, np.random.default_rng(n))
            low, high = clustered_interval(stack, weights[n])
            deviation = stack.mean(1).std(ddof=1) if len(present) > 1 else np.nan
            rows.append(
                {**where, "seed": ALL, "n": n, "seeds": len(present), "accuracy": stack.mean(),
                 "deviation": deviation, "low": low, "high": high}
            )  # fmt: skip
    return pd.DataFrame(rows, columns=ACCURACY_COLUMNS)


def paired_table(
    flags: Mapping[Key, Flags], compare_with: list[str], resamples: int
) -> pd.DataFrame:
    """Each defence against the controls on the same images of the same seed, and over all seeds.

    Returns
    -------
    DataFrame
        ``difference`` in accuracy (defence less control) with the p value of McNemar's test per
        seed; for all seeds, its mean and a bootstrap interval clustered by image.
    """
    rows = []
    weights: dict[int, NDArray[np.float64]] = {}
    defences = _by_defence(flags)
    for (base, defence), control in itertools.product(defences, compare_with):
        if defence == control or (base, control) not in defences:
            continue
        shared = [s for s in defences[base, defence] if (base, control, s) in flags]
        keys = dict.fromkeys(
            key for s in shared for key in flags[base, defence, s] if key in flags[base, control, s]
        )
        for evaluation, eps in keys:
            where = {"base": base, "defence": defence, "control": control,
                     "evaluation": evaluation, "eps": eps}  # fmt: skip
            differences = []
            for seed in shared:
                ours = flags[base, defence, seed].get((evaluation, eps))
                theirs = flags[base, control, seed].get((evaluation, eps))
                if ours is None or theirs is None:
                    continue
                differences.append(ours - theirs)
                rows.append(
                    {**where, "seed": str(seed), "seeds": 1, "n": len(ours),
                     "difference": differences[-1].mean(), "low": np.nan, "high": np.nan,
                     "p": mcnemar(ours, theirs)}
                )  # fmt: skip
            stack = np.stack(differences)
            n = stack.shape[1]
            if n not in weights:
                weights[n] = bootstrap_weights(n, resamples, np.random.default_rng(n))
            low, high = clustered_interval(stack, weights[n])
            rows.append(
                {**where, "seed": ALL, "seeds": len(stack), "n": n, "difference": stack.mean(),
                 "low": low, "high": high, "p": np.nan}
            )  # fmt: skip
    return pd.DataFrame(rows, columns=PAIRED_COLUMNS)


def _by_defence(flags: Mapping[Key, Flags]) -> dict[tuple[str, str], list[int]]:
    grouped: dict[tuple[str, str], list[int]] = {}
    for base, defence, seed in flags:
        grouped.setdefault((base, defence), []).append(seed)
    return grouped
