"""What attacks differentiate in place of an injected network, and the loss that flips masks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.attack_config import validate
from nenni.adversary.surrogates.approximate_path import approximate_path
from nenni.adversary.surrogates.bpda import bpda
from nenni.adversary.surrogates.exact_path import exact_path
from nenni.adversary.surrogates.one_draw import one_draw
from nenni.adversary.surrogates.soft_mask import soft_mask
from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.core.seeding import generator, seeded
from nenni.defences.baselines.gaussian import GaussianActivations
from nenni.method.defend import defend
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers, remove, set_path
from nenni.method.spec import InjectionSpec

Digits = tuple[Tensor, Tensor]


def gradient(model: nn.Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(model(x).square().sum(), x)[0]


@pytest.mark.parametrize("name", plugins.names("surrogate"))
def test_the_network_keeps_its_path(name: str, fitted: nn.Module, digits: Digits) -> None:
    x = digits[0][:3]
    before = fitted(x)
    plugins.load("surrogate", name)(fitted)(x)
    assert {layer.path for _, layer in noisy_layers(fitted)} == {"injected"}
    assert torch.equal(fitted(x), before)


@pytest.mark.parametrize("name", sorted({*plugins.names("surrogate")} - {"one_draw"}))
def test_plain_networks_have_none(name: str, trained: nn.Module) -> None:
    with pytest.raises(UserError, match="this one is plain"):
        plugins.load("surrogate", name)(trained)


def test_exact_and_approximate_paths(fitted: nn.Module, trained: nn.Module, digits: Digits) -> None:
    x = digits[0][:3]
    assert torch.equal(exact_path(fitted)(x), trained(x))
    found = approximate_path(fitted)(x)
    set_path(fitted, "approximate")
    assert torch.equal(found, fitted(x))


def test_bpda_has_the_value_of_the_network_and_another_gradient(
    fitted: nn.Module, digits: Digits
) -> None:
    x = digits[0][:3]
    assert torch.equal(bpda(fitted)(x), fitted(x))
    assert not torch.equal(gradient(bpda(fitted), x), gradient(fitted, x))


def test_bpda_of_one_layer_is_the_exact_gradient(
    digits: Digits, make_spec: Callable[..., InjectionSpec]
) -> None:
    """Behind the only injected layer the gradient is that of W x, whatever z' was."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.Linear(20, 3)).eval()
    spec = make_spec(layers=("1",))
    injected = inject(model, spec, digits[0][:2])
    x = digits[0][:3].clone().requires_grad_()
    (found,) = torch.autograd.grad(bpda(injected)(x)[:, 0].sum(), x)
    (exact,) = torch.autograd.grad(remove(injected)(x)[:, 0].sum(), x)
    torch.testing.assert_close(found, exact)


def test_with_one_draw_a_network_that_draws_is_fixed(trained: nn.Module, digits: Digits) -> None:
    x = digits[0][:3]
    noisy = defend(trained, GaussianActivations(0.5), x)
    fixed = one_draw(noisy)
    assert not torch.equal(noisy(x), noisy(x))
    with seeded("a batch"):
        state = torch.get_rng_state()
        first = fixed(x)
        assert torch.equal(torch.get_rng_state(), state)
        noisy(x)
        assert torch.equal(fixed(x), first)
        assert torch.equal(gradient(fixed, x), gradient(fixed, x))
    with seeded("another batch"):
        assert not torch.equal(fixed(x), first)
    assert torch.equal(one_draw(trained)(x), trained(x))


class DrawnWeights(nn.Module):
    """Two classes by 20 x 20 pixels, whose weights are drawn around 1 in each pass."""

    def forward(self, x: Tensor) -> Tensor:
        w = 1 + 3 * torch.randn(400)
        return ((x.flatten(1) - 0.5) @ w / 400)[:, None] * torch.tensor([-1.0, 1.0])


def test_an_attack_by_one_draw_is_weaker_than_one_by_averages(trained: nn.Module) -> None:
    """It follows the weights of its draw, of whose signs a third are others than the mean's."""
    y = torch.arange(40) % 2
    x = (0.5 + 0.3 * (2 * y - 1))[:, None, None, None].expand(40, 1, 20, 20).clone()
    drawn = DrawnWeights()

    def left(**settings: Any) -> float:
        asked = validate({"name": "pgd", "steps": 10, **settings})
        with seeded("attack"):
            images = AttackChoice.from_config(asked)(drawn, x, y, 0.35, generator("test"))
        with torch.no_grad(), seeded("score"):
            right = torch.stack([drawn(images).argmax(1) == y for _ in range(50)])
        return float(right.double().mean())

    assert left(samples=20) < 0.5
    assert left(surrogate={"name": "one_draw"}) > 0.8


def test_soft_mask_sharpens_to_the_network(
    trained: nn.Module, digits: Digits, make_spec: Callable[..., InjectionSpec]
) -> None:
    """Where no two scores are equal, as without rounding."""
    x = digits[0][:5]
    spec = make_spec(weight_bits=32, input_bits=32, projected_bits=32)
    fitted = inject(trained, spec, x)
    fit(fitted, digits[0][:300])
    near = (soft_mask(fitted, temperature=1e-6)(x) - fitted(x)).abs().max()
    far = (soft_mask(fitted, temperature=1.0)(x) - fitted(x)).abs().max()
    assert near < 0.01 < far
