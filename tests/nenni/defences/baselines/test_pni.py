"""The equations of PNI, by hand."""

import pytest
import torch
from baseline_cases import Digits, answers, defended, fresh, learned
from torch import Tensor, nn

from nenni.core.seeding import seeded
from nenni.defences.baselines.pni import PNI, NoisyByPNI
from nenni.method.baseline import baseline_layers
from nenni.method.defend import defend

X = torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def network() -> nn.Sequential:
    with seeded(0):
        return nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(100, 3)
        ).double().eval()  # fmt: skip


def first_layer(baseline: PNI) -> NoisyByPNI:
    layer = defend(network(), baseline, X)[0]  # type: ignore[index]
    assert isinstance(layer, NoisyByPNI)
    return layer


def drawn(shape: torch.Size) -> Tensor:
    """What a layer draws first after this seed."""
    with seeded("draw"):
        return torch.randn(shape).double()


@pytest.mark.parametrize("granularity", ["layer", "channel", "element"])
@pytest.mark.parametrize("on", ["weights", "inputs", "activations"])
def test_noise_and_the_gradient_of_its_scale(granularity: str, on: str) -> None:
    """v~ = v + alpha sigma eta, dL/dalpha = sum of dL/dv~ sigma eta over what shares an alpha."""
    layer = first_layer(PNI(granularity, on, alpha=0.3))  # type: ignore[operator]
    with seeded("draw"):
        z = layer(X)
    weight, bias = layer.wrapped.weight, layer.wrapped.bias
    plain = nn.functional.conv2d(X, weight, bias, padding=1)
    v = {"weights": weight, "inputs": X, "activations": plain}[on].detach()
    over = tuple(range(v.dim())) if on == "weights" else (1, 2, 3)
    mean = v.mean(over, keepdim=True)
    sigma = (v - mean).square().mean(over, keepdim=True).sqrt()
    eta = drawn(v.shape)
    noisy = (v + 0.3 * sigma * eta).requires_grad_()
    expected = {
        "weights": lambda: nn.functional.conv2d(X, noisy, bias, padding=1),
        "inputs": lambda: nn.functional.conv2d(noisy, weight, bias, padding=1),
        "activations": lambda: noisy,
    }[on]()
    assert torch.allclose(z, expected)

    pull = torch.linspace(-1, 1, z.numel()).double().view_as(z)
    (slope,) = torch.autograd.grad((expected * pull).sum(), noisy)
    (z * pull).sum().backward()
    each = slope * sigma * eta
    shared = each if on == "weights" else each.sum(0)
    by_hand = {
        "layer": lambda: shared.sum(),
        "channel": lambda: shared.flatten(1).sum(1),
        "element": lambda: shared,
    }[granularity]()
    assert layer.alpha.grad is not None
    assert torch.allclose(layer.alpha.grad.flatten(), by_hand.flatten())
    if on == "weights":
        assert torch.allclose(weight.grad, slope), "sigma is constant in the backward pass"


def test_the_noise_of_an_image_hangs_on_no_other() -> None:
    layer = first_layer(PNI(where="inputs"))
    with seeded("draw"):
        together = layer(torch.cat([X[:1], 100 * X[1:]]))[:1]
    with seeded("draw"):
        also = layer(torch.cat([X[:1], X[1:]]))[:1]
    assert torch.allclose(together, also)


def test_alpha_is_learned_and_differs_by_layer(digits: Digits) -> None:
    model = defended(fresh(), PNI(), digits)
    learned(model, digits, 2)
    alphas = [float(layer.alpha.detach()) for _, layer in baseline_layers(model)]  # type: ignore[operator]
    assert len(alphas) == 6
    assert len({round(alpha, 4) for alpha in alphas}) == 6
    assert all(alpha != 0.25 for alpha in alphas)


def test_weights_get_the_same_noise_for_a_whole_batch() -> None:
    layer = first_layer(PNI())
    z = answers(layer, X[:1].expand(2, -1, -1, -1))
    assert torch.allclose(z[0], z[1])
