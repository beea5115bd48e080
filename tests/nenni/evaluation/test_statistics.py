import math

import numpy as np
import pytest

from nenni.evaluation.statistics import bootstrap_weights, clustered_interval, mcnemar, wilson


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


def test_clustered_interval_does_not_shrink_with_copies_of_a_seed() -> None:
    rng = np.random.default_rng(0)
    flags = (rng.random((1, 400)) < 0.7).astype(float)
    weights = bootstrap_weights(400, 3000, rng)
    assert weights.sum(1) == pytest.approx(1)
    one = clustered_interval(flags, weights)
    assert clustered_interval(np.repeat(flags, 5, 0), weights) == pytest.approx(one)
    half = 1.96 * math.sqrt(flags.mean() * (1 - flags.mean()) / 400)
    assert one[1] - one[0] == pytest.approx(2 * half, rel=0.1)
