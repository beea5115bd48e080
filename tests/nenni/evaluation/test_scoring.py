"""Flags from outputs, and the worse of two without the luck of the draw."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from nenni.evaluation.scoring import least, robust, robust_at_any, score


def examples(**columns: list[float]) -> pd.DataFrame:
    sets = ("clean", "adv", "any")
    defaults = {f"{name}_{kind}": [1.0, 1.0] for name in sets for kind in ("chosen", "correct")}
    return pd.DataFrame(defaults | columns)


def test_other_draws_choose_than_score() -> None:
    table = examples(
        adv_chosen=[0.2, 0.9], adv_correct=[0.5, 0.1], any_chosen=[0.1, 1.0], any_correct=[0.6, 0.0]
    )
    assert robust(table).tolist() == [0.5, 0.1]
    assert robust_at_any(table).tolist() == [0.6, 1.0]
    other = examples(any_chosen=[0.0, 0.5], any_correct=[0.7, 0.4])
    assert least([table, other]).tolist() == [0.7, 0.4]
    wrong_clean = examples(clean_chosen=[0.0, 0.0], clean_correct=[0.1, 0.0])
    assert robust(wrong_clean).tolist() == [0.1, 0.0]


def test_the_least_of_equal_attacks_is_what_each_is() -> None:
    """The least of five noisy shares on the same draws would be 0.1 lower."""
    rng = np.random.default_rng(1)

    def noisy() -> pd.DataFrame:
        drawn = {f"any_{kind}": rng.binomial(10, 0.5, 3000) / 10 for kind in ("chosen", "correct")}
        return pd.DataFrame({"clean_chosen": 1.0, "clean_correct": 1.0, **drawn})

    tables = [noisy() for _ in range(5)]
    assert least(tables).mean() == pytest.approx(0.5, abs=0.01)
    assert pd.concat([t["any_correct"] for t in tables], axis=1).min(axis=1).mean() < 0.4


def test_outputs_become_flags_and_margins() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([[2.0, 1.0], [0.0, 3.0], [torch.nan, 0.0]])

    found = score(Fixed(), torch.zeros(3, 1), torch.tensor([0, 0, 1]), 2, 0)
    assert found["pred"].tolist() == [0, 1, -1]
    assert found["correct"].tolist() == [1.0, 0.0, 0.0]
    assert found["margin"][:2].tolist() == [1.0, -3.0]
