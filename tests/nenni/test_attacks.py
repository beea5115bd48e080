import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nenni.attacks._linf import uniform_in
from nenni.attacks.fgsm import fgsm
from nenni.attacks.pgd import pgd

Attack = Callable[..., Tensor]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(weight: Tensor) -> nn.Module:
    """Two classes with logits -w.x/2 and w.x/2: the margin of class 1 is w.x."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(weight.numel(), 2))
    model[1].weight.data = torch.stack([-weight / 2, weight / 2])  # type: ignore[union-attr]
    model[1].bias.data = torch.zeros(2)  # type: ignore[union-attr]
    return model


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_linear_model_gets_the_worst_corner(attack: Attack) -> None:
    """The minimum of w.x over the ball is w.x - eps |w|_1, at x - eps sign(w)."""
    weight = torch.tensor([1.0, -2.0, 0.5, 3.0])
    x = torch.tensor([[0.5, 0.4, 0.6, 0.5], [0.05, 0.98, 0.5, 0.5]])
    result = attack(linear(weight), x, torch.tensor([1, 1]), 0.1, draws())
    expected = (x - 0.1 * weight.sign()).clamp(0, 1)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("attack", [fgsm, pgd])
@settings(deadline=None, max_examples=30)
@given(eps=st.floats(0, 1), n=st.integers(1, 4), seed=st.integers(0, 1000), double=st.booleans())
def test_stays_in_the_ball(attack: Attack, eps: float, n: int, seed: int, double: bool) -> None:
    dtype = torch.float64 if double else torch.float32
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 3)).to(dtype)
    x = torch.rand(n, 2, 5, 5, generator=draws(seed), dtype=dtype)
    result = attack(model, x, torch.zeros(n, dtype=torch.int64), eps, draws(seed))
    assert result.dtype == dtype
    assert (result >= (x - eps).clamp(0, 1)).all()
    assert (result <= (x + eps).clamp(0, 1)).all()


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_eps_0_returns_the_inputs(
    attack: Attack, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    x, y = digits[0][:10], digits[1][:10]
    assert torch.equal(attack(trained, x, y, 0.0, draws()), x)


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_leaves_everything_as_it_was(
    attack: Attack, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    model = copy.deepcopy(trained).train()
    next(model.parameters()).requires_grad_(False)
    frozen = [p.requires_grad for p in model.parameters()]
    x, y = digits[0][:10].clone(), digits[1][:10]
    state, weights = torch.random.get_rng_state(), copy.deepcopy(model.state_dict())
    with torch.no_grad():
        result = attack(model, x, y, 0.1, draws())
    assert not result.requires_grad
    assert model.training
    assert torch.equal(x, digits[0][:10])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [p.requires_grad for p in model.parameters()] == frozen
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(weights[k], v) for k, v in model.state_dict().items())


def test_strength_rises_from_fgsm_to_pgd(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits[0][800:], digits[1][800:]

    def loss(images: Tensor) -> float:
        return float(nn.functional.cross_entropy(trained(images), y).detach())

    clean, one = loss(x), loss(fgsm(trained, x, y, 0.1, draws()))
    twenty = loss(pgd(trained, x, y, 0.1, draws(), steps=20))
    assert clean < one < twenty


def test_samples_do_not_depend_on_their_batch(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    x, y = digits[0][:6], digits[1][:6]
    whole = pgd(trained, x, y, 0.1, draws(), random_start=False)
    single = torch.cat(
        [
            pgd(trained, x[i : i + 1], y[i : i + 1], 0.1, draws(), random_start=False)
            for i in range(6)
        ]
    )
    assert (trained(whole).argmax(1) == trained(single).argmax(1)).all()
    torch.testing.assert_close(whole, single, rtol=0, atol=0.02)


def test_start_is_uniform_in_the_clipped_ball() -> None:
    low, high = torch.zeros(20_000), torch.full((20_000,), 0.25)
    start = uniform_in(low, high, draws())
    assert start.min() >= 0
    assert start.max() <= 0.25
    assert start.mean() == pytest.approx(0.125, abs=0.003)
    assert start.var() == pytest.approx(0.25**2 / 12, rel=0.05)


def test_generator_decides_the_start(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits[0][:5], digits[1][:5]
    first = pgd(trained, x, y, 0.1, draws(1), steps=2)
    assert torch.equal(first, pgd(trained, x, y, 0.1, draws(1), steps=2))
    assert not torch.equal(first, pgd(trained, x, y, 0.1, draws(2), steps=2))
