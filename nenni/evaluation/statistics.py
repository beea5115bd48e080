"""Intervals and tests for accuracies: per seed, and over seeds that share their images."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
_Z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))


def wilson(correct: float, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share (Wilson, JASA 1927).

    `correct` may be fractional, the expected number over the draws of a randomised defence.
    """
    interval = stats.binomtest(round(correct), n).proportion_ci(CONFIDENCE, "wilson")
    return float(interval.low), float(interval.high)


def mcnemar(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Exact two-sided McNemar test of two correct/wrong flags on the same examples: its p value.

    Flags of a randomised defence, means over its draws, count as correct above 0.5.
    """
    a, b = first > 0.5, second > 0.5
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def accuracy_interval(flags: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of an accuracy, for other seeds and other images than these.

    Wilson's, for as many images as would by themselves give the half-width of :func:`half_width`
    (Korn, Graubard, Survey Methodology 1998): near 0 and 1 a symmetric one holds too rarely. Not
    narrower than the t interval over the seeds.

    Parameters
    ----------
    flags : array (seeds, n)
        Correct or not, or the share of draws that are, in [0, 1]; the same images in each row.

    Returns
    -------
    low, high : float
        In [0, 1]. Of one seed, what the images alone say.
    """
    share, half = float(flags.mean()), half_width(flags)
    n = _Z**2 * share * (1 - share) / half**2 if half > 0 else float(flags.shape[1])
    centre = (share + _Z**2 / 2 / n) / (1 + _Z**2 / n)
    around = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / 4 / n**2)
    of_seeds = _t_half_width(flags)
    low = min(centre - around, share - of_seeds)
    return max(0.0, low), min(1.0, max(centre + around, share + of_seeds))


def difference_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of a difference of accuracies, for other seeds and images than these.

    The mean and, on either side, :func:`half_width`, or 3 / n if that is more: where no image tells
    two networks apart, up to 3 in n others may (the rule of three).

    Parameters
    ----------
    differences : array (seeds, n)
        Of two defences on the same image with the same seed, in [-1, 1].

    Returns
    -------
    low, high : float
        Of one seed, what the images alone say.
    """
    mean = float(differences.mean())
    half = max(half_width(differences), 3 / differences.shape[1])
    return max(-1.0, mean - half), min(1.0, mean + half)


def half_width(values: NDArray[np.float64]) -> float:
    """Half of a 95 % interval of a mean over seeds and images that are crossed.

    With an effect of each seed, one of each image and one of both together, the variance of the
    mean is that of the seeds' means over S, and what the images alone add to it. The half-widths of
    an interval for either are added in quadrature (Zou, Donner, Statistics in Medicine 2008), the
    first with Student's t for S - 1 degrees of freedom. So it is not below that of the t interval
    over the seeds. docs/claims.md has how often it holds the truth.

    Parameters
    ----------
    values : array (seeds, n)
        The same images in each row.
    """
    return math.hypot(_t_half_width(values), _Z * math.sqrt(_variance_of_images(values)))


def t_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of the mean over seeds, whose values are (seeds, n), by their means alone."""
    mean, half = float(values.mean()), _t_half_width(values)
    return mean - half, mean + half


def _t_half_width(values: NDArray[np.float64]) -> float:
    seeds = len(values)
    if seeds == 1:
        return 0.0
    deviation = float(values.mean(1).std(ddof=1))
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, seeds - 1))
    return quantile * deviation / math.sqrt(seeds)


def _variance_of_images(values: NDArray[np.float64]) -> float:
    """Of the mean, by the images' own effects: what their means vary beyond chance within them."""
    seeds, n = values.shape
    if n == 1:
        return 0.0
    images = values.mean(0)
    whole: float = images.var(ddof=1).item() / n
    if seeds == 1:
        return whole
    rest = values - images - values.mean(1, keepdims=True) + values.mean()
    together: float = (rest**2).sum().item() / ((seeds - 1) * (n - 1)) / (seeds * n)
    return max(0.0, whole - together)
