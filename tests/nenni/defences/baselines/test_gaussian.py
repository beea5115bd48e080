"""The deviation of the noise, calibrated and followed."""

import pytest
import torch
from baseline_cases import Digits, answers, defended, fresh, learned
from torch import Tensor, nn

from nenni.defences.baselines.gaussian import GaussianActivations, GaussianOutput
from nenni.method.baseline import baseline_layers
from nenni.method.defend import set_noise


def outputs(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What each layer with noise gives, noise included."""
    found: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_hook(lambda _, __, z, name=name: found.update({name: z}))
        for name, layer in baseline_layers(network)
    ]
    answers(network, x)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("sigma", [0.1, 0.5])
def test_it_is_a_share_of_the_deviation_of_the_layer(
    sigma: float, trained: nn.Module, digits: Digits
) -> None:
    network = defended(trained, GaussianActivations(sigma), digits)
    x = digits[0][:60]
    layers = dict(baseline_layers(network))
    assert list(layers) == ["conv1", "conv2", "conv3", "conv4", "fc1"]
    first = layers["conv1"]
    assert isinstance(first, GaussianOutput)
    z = first.wrapped(x).detach()
    noise = outputs(network, x)["conv1"] - z
    assert float(noise.std()) == pytest.approx(sigma * float(z.std()), rel=0.02)
    assert abs(float(noise.mean())) < 0.02 * float(noise.std())
    each = noise.flatten(1).std(1)
    assert float(each.std() / each.mean()) < 0.1, "as much on every image"


def test_each_layer_is_calibrated_behind_the_noise_before_it(
    trained: nn.Module, digits: Digits
) -> None:
    x = digits[0][:60]
    network = defended(trained, GaussianActivations(1.0), digits)
    deviations = {name: float(layer.deviation) for name, layer in baseline_layers(network)}  # type: ignore[arg-type]
    set_noise(network, on=False)
    exact = {name: float(z.std(unbiased=False)) for name, z in outputs(network, x).items()}
    assert deviations["conv1"] == pytest.approx(exact["conv1"])
    assert deviations["conv4"] > 1.1 * exact["conv4"]


def test_the_deviation_follows_in_training_and_in_nothing_else(digits: Digits) -> None:
    network = defended(fresh(), GaussianActivations(0.1), digits)
    layers = [layer for _, layer in baseline_layers(network)]
    first = layers[0]
    assert isinstance(first, GaussianOutput)
    before = first.deviation.clone()
    answers(network, 3 * digits[0][60:120])
    assert torch.equal(first.deviation, before)
    x = digits[0][:20]
    expected = 0.9 * before + 0.1 * first.wrapped(x).std(unbiased=False)
    network.train()
    answers(network, x)
    assert torch.allclose(first.deviation, expected)
    learned(network, digits, 9)
    set_noise(network, on=False)
    now = float(outputs(network, digits[0][:400])["conv1"].std())
    assert float(first.deviation) == pytest.approx(now, rel=0.1)
    assert float(first.deviation) > 1.5 * float(before)
