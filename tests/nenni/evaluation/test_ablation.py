"""What is left of a defended network when its noise is switched off."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from baseline_cases import Digits, answers, defended
from torch import nn

import nenni
from nenni.evaluation.ablation import without_noise
from nenni.method.injection import inject, is_randomised


def test_a_network_without_noise_has_no_ablation(trained: nn.Module, digits: Digits) -> None:
    assert without_noise(trained) is None
    assert without_noise(defended(trained, nenni.Quantised(4), digits)) is None
    network = defended(trained, nenni.PNI(), digits)
    nenni.set_noise(network, on=False)
    assert without_noise(network) is None


@pytest.mark.parametrize("baseline", [nenni.PNI(), nenni.GaussianActivations()], ids=str)
def test_a_baseline_answers_as_the_plain_network_and_draws_again_afterwards(
    baseline: Any, trained: nn.Module, digits: Digits
) -> None:
    network, x = defended(trained, baseline, digits), digits[0][600:610]
    quiet = without_noise(network)
    assert quiet is not None
    assert torch.equal(answers(quiet, x), answers(trained, x))
    assert is_randomised(network)


def test_an_injected_network_is_exact(
    trained: nn.Module, make_spec: Callable[..., nenni.InjectionSpec], digits: Digits
) -> None:
    x = digits[0][600:610]
    exact = without_noise(inject(trained, make_spec(), x[:1]))
    assert exact is not None
    assert torch.equal(answers(exact, x), answers(trained, x))


@pytest.mark.long
def test_the_diagnosis_has_a_row_for_it(trained: nn.Module, digits: Digits) -> None:
    data = digits[0][600:608], digits[1][600:608]
    found = {
        name: set(nenni.diagnose(network, data, eps=0.1, draws=2).rows["name"])
        for name, network in {
            "noisy": defended(trained, nenni.GaussianActivations(0.1), digits),
            "rounds": defended(trained, nenni.Quantised(8), digits),
        }.items()
    }
    assert "noise switched off" in found["noisy"] - found["rounds"]
    assert "gradient and rounding" in found["rounds"] - found["noisy"]
