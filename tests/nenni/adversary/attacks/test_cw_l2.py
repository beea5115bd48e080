"""Carlini and Wagner's attack where images are black and white."""

import pytest
import torch
from attack_cases import draws
from torch import Tensor, nn

from nenni.adversary.attacks.cw_l2 import cw_l2
from nenni.adversary.attacks.ddn import ddn

EPS = 1.0


def network(dtype: torch.dtype) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).to(dtype).eval()


def images() -> Tensor:
    """Black and white, as digits are nearly."""
    return (torch.rand(32, 1, 8, 8, generator=draws()) > 0.5).float()


def broken(model: nn.Module, x: Tensor, found: Tensor) -> float:
    """Share of the images that are of another class now."""
    with torch.no_grad():
        return float((model(found).argmax(1) != model(x).argmax(1)).float().mean())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_black_and_white_are_moved(dtype: torch.dtype) -> None:
    """Not one image of 32 was; in half precision w was infinite."""
    model, x = network(dtype), images().to(dtype)
    with torch.no_grad():
        y = model(x).argmax(1)
    found = cw_l2(model, x, y, EPS, draws(), searches=5)
    by_ddn = broken(model, x, ddn(model, x, y, EPS, draws()))
    assert by_ddn > 0.4
    assert broken(model, x, found) >= by_ddn


def test_greys_start_where_they_are() -> None:
    """No pixel within 0.99 of [-1, 1] starts elsewhere than in the paper's change of variables."""
    model, x = network(torch.float32), 0.25 + 0.5 * images()
    with torch.no_grad():
        y = model(x).argmax(1)
    seen: list[Tensor] = []
    model.register_forward_pre_hook(lambda _, asked: seen.append(asked[0].detach().clone()))
    cw_l2(model, x, y, EPS, draws(), searches=1, steps=1)
    assert torch.equal(seen[0], (torch.tanh(torch.atanh((2 * x - 1) * (1 - 1e-6))) + 1) / 2)
