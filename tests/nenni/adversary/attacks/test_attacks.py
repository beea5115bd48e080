"""What every attack keeps to, whatever it does."""

import copy
from functools import partial

import pytest
import torch
from attack_cases import BOTH, SLOW, Attack, attack_of, draws
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

UNTARGETED = ("deepfool", "hopskipjump", "random_noise", "apgd_targeted", "rays")


def small_network(dtype: torch.dtype) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layers = [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)]
    return nn.Sequential(*layers).to(dtype)


@pytest.mark.parametrize(("norm", "name"), BOTH)
@settings(max_examples=12)
@given(eps=st.floats(0, 1), n=st.integers(0, 3), seed=st.integers(0, 1000), double=st.booleans())
def test_stays_in_the_ball(
    norm: str, name: str, eps: float, n: int, seed: int, double: bool
) -> None:
    dtype = torch.float64 if double else torch.float32
    x = torch.rand(n, 2, 5, 5, generator=draws(seed), dtype=dtype).round(decimals=1)
    y = torch.randint(4, (n,), generator=draws(seed))
    result = attack_of(norm, name)(small_network(dtype), x, y, eps, draws(seed))
    assert result.dtype == dtype
    assert result.shape == x.shape
    assert ((result >= 0) & (result <= 1)).all()
    if norm == "linf":
        assert (result >= (x - eps).clamp(0, 1)).all()
        assert (result <= (x + eps).clamp(0, 1)).all()
    else:
        moved = (result.double() - x.double()).flatten(1).norm(dim=1)
        assert (moved <= eps * (1 + 1e-6)).all()


@pytest.mark.parametrize(("norm", "name"), BOTH)
def test_eps_0_returns_the_inputs(
    norm: str, name: str, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    x, y = digits[0][:6], digits[1][:6]
    assert torch.equal(attack_of(norm, name)(trained, x, y, 0.0, draws()), x)


def check_purity(attack: Attack, trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    model = copy.deepcopy(trained).train()
    next(model.parameters()).requires_grad_(False)
    frozen = [p.requires_grad for p in model.parameters()]
    x, y = digits[0][:6].clone(), digits[1][:6]
    state, weights = torch.random.get_rng_state(), copy.deepcopy(model.state_dict())
    with torch.no_grad():
        result = attack(model, x, y, 0.1, draws())
    assert not result.requires_grad
    assert model.training
    assert torch.equal(x, digits[0][:6])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [p.requires_grad for p in model.parameters()] == frozen
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(weights[k], v) for k, v in model.state_dict().items())
    assert torch.equal(attack(model, x, y, 0.1, draws()), result)


@pytest.mark.parametrize(("norm", "name"), BOTH)
def test_leaves_everything_as_it_was(
    norm: str, name: str, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    check_purity(attack_of(norm, name), trained, digits)


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    ["autoattack", "autoattack_rand", pytest.param("autoattack_l2", marks=pytest.mark.slow)],
)
def test_autoattack_keeps_to_the_same(
    name: str, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    pytest.importorskip("pyautoattack", reason="the extra autoattack is not installed")
    check_purity(SLOW[name], trained, digits)


@pytest.mark.parametrize(
    ("norm", "name"),
    [case for case in BOTH if case[1] not in UNTARGETED],
)
def test_targeted_attacks_reach_their_class(
    norm: str, name: str, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    """With a large ball some images get the target, of which no clean image is."""
    x, y = digits[0][:30], digits[1][:30]
    targets = (y + 1) % 10
    eps = 0.3 if norm == "linf" else 4.0
    attack = attack_of(norm, name)
    attack = partial(attack, c=10.0, steps=100, lr=0.1) if name == "cw_l2" else attack
    result = attack(trained, x, targets, eps, draws(), targeted=True)
    assert not (trained(x).argmax(1) == targets).any()
    assert (trained(result).argmax(1) == targets).sum() >= 6
