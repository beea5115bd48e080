"""Normalised scores and soft steps in closed form."""

import pytest
import torch
from torch import nn

from nenni.method.score import soft_step, standardised, through_batch_norm


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 2, 4)])
def test_batch_norm_by_its_running_statistics_alone(shape: tuple[int, ...], affine: bool) -> None:
    """Also while it trains; it learns nothing and its statistics stay."""
    bn = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(5, affine=affine)
    assert bn.running_mean is not None
    assert bn.running_var is not None
    bn.running_mean.copy_(torch.randn(5, generator=draws(1)))
    bn.running_var.copy_(torch.rand(5, generator=draws(2)) + 0.5)
    z = torch.randn(shape, generator=draws(3), requires_grad=True)
    before = {name: t.clone() for name, t in bn.state_dict().items()}
    found = through_batch_norm(z, bn.train())
    found.sum().backward()
    assert all(p.grad is None for p in bn.parameters())
    assert all(torch.equal(t, before[name]) for name, t in bn.state_dict().items())
    torch.testing.assert_close(found, bn.eval()(z))


def test_standardised_channels() -> None:
    z = torch.randn(400, 3, 5, generator=draws(), dtype=torch.float64) * 3 + 2
    found = standardised(z, z.mean((0, 2)), z.var((0, 2), correction=0))
    torch.testing.assert_close(found.mean((0, 2)), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(found.std((0, 2), correction=0), torch.ones(3, dtype=torch.float64))


def test_soft_steps_are_as_wide_as_each_samples_scores_vary() -> None:
    score = torch.tensor([[0.0, 2.0, 4.0], [0.0, 20.0, 40.0]], dtype=torch.float64)
    found = soft_step(score, score - score.mean(1, keepdim=True), 0.5)
    expected = torch.sigmoid(torch.tensor([-1.0, 0.0, 1.0]).double() * 2 / (0.5 * (8 / 3) ** 0.5))
    torch.testing.assert_close(found, expected.expand(2, 3))


def test_soft_steps_of_equal_scores_are_hard() -> None:
    score = torch.ones(2, 4)
    margin = torch.tensor([[1.0, -1.0, 1.0, -1.0]]).expand(2, 4)
    assert torch.equal(soft_step(score, margin, 0.1), (margin > 0).float())
