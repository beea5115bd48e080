"""What attacks differentiate in place of an injected network, and the loss that flips masks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.adversary.surrogates.approximate_path import approximate_path
from nenni.adversary.surrogates.bpda import bpda
from nenni.adversary.surrogates.exact_path import exact_path
from nenni.adversary.surrogates.soft_mask import soft_mask
from nenni.core import plugins
from nenni.core.errors import UserError
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


@pytest.mark.parametrize("name", plugins.names("surrogate"))
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
