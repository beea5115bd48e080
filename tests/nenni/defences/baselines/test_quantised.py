"""The values of rounded weights and inputs, their gradients, and the step that follows."""

import pytest
import torch
from baseline_cases import Digits, defended, fresh, learned
from torch import Tensor, nn

from nenni.defences.baselines.quantised import Quantised, QuantisedLayer
from nenni.method.baseline import baseline_layers
from nenni.method.defend import defend
from nenni.method.quantise import mse_scale

X = torch.rand(5, 3, 6, 6, generator=torch.Generator().manual_seed(0))


def layer_of(bits: int) -> QuantisedLayer:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 3)).eval()
    found = defend(network, Quantised(bits), X)[0]  # type: ignore[arg-type, index]
    assert isinstance(found, QuantisedLayer)
    return found


@pytest.mark.parametrize(("bits", "codes"), [(8, 127), (4, 7)])
def test_values(bits: int, codes: int) -> None:
    """Weights per output channel, inputs by one step of least squared error, the bias as it is."""
    layer = layer_of(bits)
    weight, bias = layer.wrapped.weight.detach(), layer.wrapped.bias
    step = weight.abs().amax((1, 2, 3), keepdim=True) / codes
    rounded = (weight / step).round().clamp(-codes, codes) * step
    scale = mse_scale(X, bits)
    x = (X / scale).round().clamp(-codes, codes) * scale
    assert torch.equal(layer.input_scale, scale)
    assert torch.allclose(layer(X), nn.functional.conv2d(x, rounded, bias), atol=1e-6)
    assert len((rounded[0] / step[0]).round().unique()) <= 2 * codes + 1
    assert torch.allclose(rounded.abs().amax((1, 2, 3)), weight.abs().amax((1, 2, 3)))


def test_gradients_pass_straight_through() -> None:
    layer = layer_of(4)
    x = X.clone().requires_grad_()
    layer(x).sum().backward()
    plain = X.clone().requires_grad_()
    nn.functional.conv2d(plain, layer.used_weight().detach()).sum().backward()
    inside = (X / layer.input_scale).abs() <= 7.5
    assert torch.allclose(x.grad, plain.grad * inside, atol=1e-6)  # type: ignore[operator, arg-type]
    assert layer.wrapped.weight.grad is not None
    assert bool((layer.wrapped.weight.grad != 0).all())


@pytest.mark.parametrize("bits", [8, 4])
def test_trained_weights_answer_nearly_as_before(
    bits: int, trained: nn.Module, digits: Digits
) -> None:
    x, y = (part[600:800] for part in digits)
    right = (trained(x).argmax(1) == y).float().mean()
    found = (defended(trained, Quantised(bits), digits)(x).argmax(1) == y).float().mean()  # type: ignore[arg-type]
    assert float(found) > float(right) - {8: 0.01, 4: 0.1}[bits]


def test_the_step_follows_the_largest_input_in_training_alone() -> None:
    layer = layer_of(8)
    scale, largest = layer.input_scale.clone(), layer.largest.clone()
    layer(3 * X)
    assert torch.equal(layer.input_scale, scale)
    layer.train()(3 * X)
    followed = 0.9 * largest + 0.1 * 3 * X.max()
    assert torch.allclose(layer.largest, followed)
    assert torch.allclose(layer.input_scale, scale * followed / largest)


def test_steps_grow_with_what_is_learned(digits: Digits) -> None:
    network = defended(fresh(), Quantised(8), digits)

    def steps() -> Tensor:
        return torch.stack([layer.input_scale.clone() for _, layer in baseline_layers(network)])  # type: ignore[operator]

    before = steps()
    learned(network, digits, 9)
    assert torch.isclose(steps()[0], before[0], rtol=0.2), "of the images"
    assert bool((steps()[1:] > 2 * before[1:]).all())


class Twice(nn.Module):
    """Applies one layer two times, first to large inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(12, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.shared(self.shared(30 * x.flatten(1)) / 30)


def test_a_layer_that_is_called_again_has_the_step_of_all_its_calls() -> None:
    """Its second input is behind the step of the first alone, as each layer's is."""
    x = torch.rand(20, 3, 2, 2)
    first = 30 * x.flatten(1)
    layer = defend(Twice().eval(), Quantised(8), x).shared
    assert isinstance(layer, QuantisedLayer)
    step = layer.input_scale.clone()
    layer.calibrate(first)
    with torch.no_grad():
        second = layer(first) / 30
    assert torch.equal(step, mse_scale(torch.cat([first, second]), 8))
