"""Bias correction over the neurons that the approximation answers for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.fitting.bias import correct_bias
from nenni.method.injection import inject, noisy_layers
from nenni.method.noise.resample import Resample
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.selection.oracle import Oracle
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.method.visit import SeenInExact, visit_exact

MakeSpec = Callable[..., InjectionSpec]


@pytest.mark.parametrize(
    "choices", [{}, {"selection": Oracle(0.3)}, {"selection": TopK(1.0)}, {"noise": Resample(2)}]
)
def test_the_mean_error_of_the_neurons_it_answered_for_is_gone(
    trained: nn.Module,
    make_spec: MakeSpec,
    digits: tuple[Tensor, Tensor],
    choices: dict[str, object],
) -> None:
    """With the masks of before; where every neuron is exact nothing moves."""
    x = digits[0][:90]
    noisy = inject(trained, make_spec(**choices), x[:1])
    fit(noisy, x, inputs="exact")
    masks: list[Tensor] = []

    def look(_: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        for i in range(layer.pool):
            judged = z if layer.choices.selection.judges_exact else layer.approximate(x, i)
            masks.append(layer.mask(judged))

    visit_exact(noisy, [x], look)
    before = [layer.b_tilde.clone() for _, layer in noisy_layers(noisy)]
    correct_bias(SeenInExact(noisy, x, 40))
    left = iter(masks)

    def check(_: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        for i in range(layer.pool):
            error = (layer.approximate(x, i) - z) * ~next(left)
            assert layer.geometry.rows(error).mean(0).abs().max() < 1e-4 * z.abs().max()

    visit_exact(noisy, [x], check)
    moved = [
        not torch.equal(b, a.b_tilde) for b, (_, a) in zip(before, noisy_layers(noisy), strict=True)
    ]
    assert moved == [choices != {"selection": TopK(1.0)}] * len(moved)


def test_it_is_a_choice_of_the_fit(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    biases = []
    for correction in (False, True):
        noisy = inject(trained, make_spec(), digits[0][:1])
        fit(noisy, digits[0][:100], bias_correction=correction)
        biases.append([layer.b_tilde for _, layer in noisy_layers(noisy)])
    assert not any(torch.equal(a, b) for a, b in zip(*biases, strict=True))
