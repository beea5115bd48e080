"""Intervals and tests for accuracies: per seed, and over seeds that share their images."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

CONFIDENCE = 0.95


def wilson(correct: float, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share (Wilson, JASA 1927).

    `correct` may be fractional, the expected number over the draws of a randomised defence.
    """
    interval = binomtest(round(correct), n).proportion_ci(CONFIDENCE, "wilson")
    return float(interval.low), float(interval.high)


def mcnemar(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Exact two-sided McNemar test of two correct/wrong flags on the same examples: its p value.

    Flags of a randomised defence, means over its draws, count as correct above 0.5.
    """
    a, b = first > 0.5, second > 0.5
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def bootstrap_weights(n: int, resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """How often each of n images is drawn in each resample, (resamples, n), over n."""
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n


def clustered_interval(
    flags: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over seeds and images, resampling whole images.

    Parameters
    ----------
    flags : array (seeds, n)
        Correct or not; the same images in each row, so rows are not independent.
    weights : array (resamples, n)
        From :func:`bootstrap_weights`; the same for all, so that intervals are comparable.
    """
    means = weights @ flags.mean(0)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
