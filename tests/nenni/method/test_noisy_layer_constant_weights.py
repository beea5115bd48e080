"""While weights do not change, what is made of them alone is made once."""

import copy
from unittest import mock

import pytest
import torch
from noisy_cases import IMAGES, network

from nenni.core.seeding import seeded
from nenni.method import noisy_layer
from nenni.method.injection import noisy_layers
from nenni.method.noisy_layer import constant_weights
from nenni.method.quantise import quantise_weight


@pytest.mark.parametrize("name", ["topk", "Resample", "W~ P as one matrix", "exact path rounded"])
def test_constant_weights_are_rounded_once_and_change_nothing(name: str) -> None:
    noisy = network(name, "injected")
    with seeded(0):
        expected = noisy(IMAGES)
    layers = [layer for _, layer in noisy_layers(noisy)]
    rounding = mock.patch.object(noisy_layer, "quantise_weight", wraps=quantise_weight)
    with torch.no_grad(), rounding as rounded, constant_weights(noisy):
        once = rounded.call_count
        with constant_weights(noisy):
            for _ in range(3):
                with seeded(0):
                    assert torch.equal(noisy(IMAGES), expected)
        assert rounded.call_count == once > 0
        copied = copy.deepcopy(noisy)
    with torch.no_grad():
        for model in (noisy, copied):
            for _, layer in noisy_layers(model):
                layer.W_tilde.mul_(2)
    assert all(layer.kept is None for layer in layers)
    with seeded(0):
        after = noisy(IMAGES)
    with seeded(0):
        assert torch.equal(copied(IMAGES), after)
    assert not torch.equal(after, expected)
