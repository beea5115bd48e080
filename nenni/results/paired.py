"""Defences against others on the same images with the same seed, by what both received."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nenni.core.types import Norm
from nenni.evaluation.scoring import least
from nenni.evaluation.statistics import difference_interval, mcnemar
from nenni.results.accuracy import ALL, CROSSED, ONE_SEED, Flags, Key, per_seed

SuiteExamples = Mapping[tuple[str, Norm], Mapping[str, pd.DataFrame]]
"""(Suite, norm) -> attack -> its examples, of one experiment."""
LEAST = "least of both"
"""Ends the name of an evaluation that is the least over a suite's attacks that both received."""
COLUMNS = [
    "base", "defence", "control_base", "control", "evaluation", "eps", "seed", "n", "seeds",
    "accuracy", "control_accuracy", "difference", "deviation", "low", "high", "p", "values",
    "interval",
]  # fmt: skip
_Both = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Flags of a defence and of its control on the same images."""


def paired_table(
    flags: Mapping[Key, Flags],
    pairs: Iterable[Sequence[str]],
    suites: Mapping[Key, SuiteExamples],
) -> pd.DataFrame:
    """Each pair of defences on the same images of the same seed, and over all seeds.

    Parameters
    ----------
    flags : mapping
        Of each experiment, from :func:`nenni.results.accuracy.flags_of`.
    pairs : iterable
        Base and defence, base and control.
    suites : mapping
        Examples of each experiment's suites.

    Returns
    -------
    DataFrame
        The ``accuracy`` of both and its ``difference`` (defence less control) with the p value of
        McNemar's test per seed; for all seeds (``seed`` "all") its mean, deviation, each seed's
        value and an interval over seeds and images. Beside the attacks that both received there is,
        for each suite and norm, the least per image over these attacks, named by
        :func:`least_name`.
    """
    rows = []
    for pair in pairs:
        base, defence, control_base, control = pair
        seeds = [seed for b, d, seed in flags if (b, d) == (base, defence)]
        found: dict[tuple[str, float], dict[int, _Both]] = {}
        for seed in seeds:
            ours, theirs = (base, defence, seed), (control_base, control, seed)
            if theirs in flags:
                for key, both in _shared(ours, theirs, flags, suites):
                    found.setdefault(key, {})[seed] = both
        names = dict(zip(COLUMNS[:4], pair, strict=True))
        for (evaluation, eps), of_seeds in found.items():
            where = {**names, "evaluation": evaluation, "eps": eps}
            rows += [{**where, **row} for row in _compared(of_seeds)]
    return pd.DataFrame(rows, columns=COLUMNS)


def least_name(suite: str, norm: Norm) -> str:
    """Name of the evaluation that is the least over a suite's attacks that both received."""
    return f"{suite} {norm} {LEAST}"


def _shared(
    ours: Key, theirs: Key, flags: Mapping[Key, Flags], suites: Mapping[Key, SuiteExamples]
) -> Iterator[tuple[tuple[str, float], _Both]]:
    """Evaluation and eps of what both received, with the flags of both."""
    for key, correct in flags[ours].items():
        if key in flags[theirs]:
            yield key, (correct, flags[theirs][key])
    other = suites.get(theirs, {})
    for (suite, norm), attacks in suites.get(ours, {}).items():
        both = attacks, other.get((suite, norm), {})
        common = [attack for attack in both[0] if attack in both[1]]
        n = max((len(both[0][attack]) for attack in common), default=0)
        whole = [attack for attack in common if len(both[0][attack]) == n]
        if whole:
            eps = float(both[0][whole[0]]["eps"].iloc[0])
            a, b = (least(t[attack] for attack in whole).to_numpy(dtype=float) for t in both)
            yield (least_name(suite, norm), eps), (a, b)


def _compared(of_seeds: Mapping[int, _Both]) -> Iterator[dict[str, object]]:
    for seed, (ours, theirs) in of_seeds.items():
        yield {
            "seed": str(seed), "seeds": 1, "n": ours.size, "accuracy": ours.mean(),
            "control_accuracy": theirs.mean(), "difference": (ours - theirs).mean(),
            "p": mcnemar(ours, theirs),
        }  # fmt: skip
    ours, theirs = (np.stack(each) for each in zip(*of_seeds.values(), strict=True))
    differences = ours - theirs
    means = differences.mean(1)
    low, high = difference_interval(differences)
    yield {
        "seed": ALL, "seeds": len(means), "n": differences.shape[1], "accuracy": ours.mean(),
        "control_accuracy": theirs.mean(), "difference": means.mean(),
        "deviation": means.std(ddof=1) if len(means) > 1 else np.nan, "low": low, "high": high,
        "values": per_seed(of_seeds, means), "interval": CROSSED if len(means) > 1 else ONE_SEED,
    }  # fmt: skip
