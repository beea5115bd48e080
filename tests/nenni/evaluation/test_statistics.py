import math

import numpy as np
import pytest
from scipy import stats

from nenni.evaluation.statistics import (
    accuracy_interval,
    difference_interval,
    half_width,
    mcnemar,
    t_interval,
    wilson,
)


def test_wilson_closed_form() -> None:
    k, n, z = 83, 100, 1.959963984540054
    p = k / n
    centre = (p + z * z / 2 / n) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    assert wilson(k, n) == pytest.approx((centre - half, centre + half))
    assert wilson(0, 50)[0] == 0


def test_mcnemar_by_hand() -> None:
    """5 against 1 discordant pairs: p = 2 (C(6,0) + C(6,1)) / 2^6."""
    a = np.array([1] * 5 + [0] + [1] * 10 + [0] * 3, dtype=float)
    b = np.array([0] * 5 + [1] + [1] * 10 + [0] * 3, dtype=float)
    assert mcnemar(a, b) == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar(a, a) == 1


def flags(seeds: int, n: int, share: float = 0.7, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((seeds, n)) < share).astype(float)


def test_the_t_interval_is_scipys() -> None:
    values = flags(5, 40)
    means = values.mean(1)
    expected = stats.t.interval(0.95, 4, loc=means.mean(), scale=stats.sem(means))
    assert t_interval(values) == pytest.approx(expected)


def test_the_half_width_is_that_of_crossed_random_effects() -> None:
    """The images' own variance from the mean squares of a two-way table without replication."""
    values = flags(4, 60) * np.linspace(0.5, 1, 60)
    seeds, n = values.shape
    grand, of_seeds, of_images = values.mean(), values.mean(1), values.mean(0)
    ms_images = seeds * ((of_images - grand) ** 2).sum() / (n - 1)
    rest = values - of_seeds[:, None] - of_images + grand
    ms_rest = (rest**2).sum() / ((n - 1) * (seeds - 1))
    of_seeds_half = t_interval(values)[1] - grand
    images = max(0.0, ms_images - ms_rest) / (seeds * n)
    expected = math.sqrt(of_seeds_half**2 + 1.959963984540054**2 * images)
    assert ms_images > ms_rest
    assert half_width(values) == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
def test_no_interval_is_narrower_than_that_of_the_seeds(seeds: int, share: float) -> None:
    for seed in range(20):
        drawn = flags(seeds, 50, share, seed)
        low, high = t_interval(drawn)
        accuracy = accuracy_interval(drawn)
        assert accuracy[0] <= max(low, 0) + 1e-12
        assert accuracy[1] >= min(high, 1) - 1e-12
        differences = drawn - flags(seeds, 50, share, seed + 100)
        low, high = t_interval(differences)
        found = difference_interval(differences)
        assert found[0] <= max(low, -1) + 1e-12
        assert found[1] >= min(high, 1) - 1e-12


def test_one_seed_has_the_interval_of_its_images() -> None:
    one = flags(1, 400)
    n = one.size - 1  # the variance of a sample takes one off
    assert accuracy_interval(one) == pytest.approx(wilson(one.mean() * n, n), abs=2e-3)
    share = one.mean()
    half = 1.959963984540054 * one.std(ddof=1) / math.sqrt(400)
    assert difference_interval(one) == pytest.approx((share - half, share + half))


def test_copies_of_a_seed_say_no_more_than_it_does() -> None:
    one = flags(1, 400)
    assert accuracy_interval(np.repeat(one, 5, 0)) == pytest.approx(accuracy_interval(one))


def test_images_that_all_seeds_agree_on_say_nothing_of_the_seeds() -> None:
    """Where seeds differ by a constant alone, the interval is that of their values and images."""
    images = flags(1, 900)[0] * 0.5
    values = images + np.array([[0.1], [0.2], [0.45]])
    expected = math.hypot(
        t_interval(values)[1] - values.mean(), 1.959963984540054 * images.std(ddof=1) / 30
    )
    assert half_width(values) == pytest.approx(expected)


def test_what_no_image_shows_may_still_be() -> None:
    assert difference_interval(np.zeros((5, 300))) == pytest.approx((-0.01, 0.01))
    for right in (np.ones((5, 300)), np.zeros((5, 300))):
        assert accuracy_interval(right) == pytest.approx(wilson(right[0].sum(), 300))


def test_shares_of_draws_are_taken_as_they_are() -> None:
    shares = np.random.default_rng(0).random((5, 200))
    low, high = accuracy_interval(shares)
    assert 0 < low < shares.mean() < high < 1
    assert high - low < np.subtract(*accuracy_interval((shares > 0.5).astype(float))[::-1])
