"""Accuracy against the attacker's tries."""

import numpy as np
import pandas as pd
import pytest

from nenni.evaluation.persistence import persistence


def test_tries_at_a_point_of_a_known_chance() -> None:
    """Right with probability p, an image holds k tries with p^k; estimated without bias."""
    rng = np.random.default_rng(0)
    p, draws = 0.8, 100
    shares = pd.Series(rng.binomial(draws, p, 4000) / draws)
    table = persistence(shares, draws).set_index("tries")
    for tries in (1, 3, 10):
        assert table.loc[tries, "accuracy"] == pytest.approx(p**tries, abs=0.004)
    assert table.loc[100, "accuracy"] == pytest.approx(0, abs=1e-3)
    assert (table["n"] == 4000).all()
    assert (table["low"] <= table["accuracy"] + 1e-9).all()


def test_what_is_always_right_stays_so_and_few_draws_tell_of_few_tries() -> None:
    table = persistence(pd.Series([1.0, 1.0, 0.0]), 10)
    assert table["tries"].tolist() == [1, 3, 10]
    assert table["accuracy"].tolist() == pytest.approx([2 / 3] * 3)
    assert persistence(pd.Series([], dtype=float), 100).empty
