"""The diagnostics and the suite must break networks that are masked on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nenni
from nenni.adversary import attack_config
from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.suite_attacks import SUITES
from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError
from nenni.evaluation.attack_images import attack_images
from nenni.evaluation.battery import Scaled
from nenni.evaluation.diagnose import MASKED, TRUSTWORTHY
from nenni.evaluation.scoring import robust
from nenni.method import quantise
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.spec import InjectionSpec

Digits = tuple[Tensor, Tensor]


EPS = 0.05


PGD: dict[str, dict[str, Any]] = {"pgd_20": SUITES["standard"]["pgd_20"]}


SUITE = PGD | {name: SUITES["standard"][name] for name in ("apgd_targeted", "exact_path", "square")}


@pytest.fixture
def held_out(digits: Digits) -> Digits:
    return digits[0][800:880], digits[1][800:880]


@contextmanager
def no_straight_through() -> Iterator[None]:
    """Rounding has the gradient that it has: none."""
    honest = quantise.StraightThrough.backward

    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return torch.zeros_like(gradients[0]), None, None

    quantise.StraightThrough.backward = staticmethod(backward)
    try:
        yield
    finally:
        quantise.StraightThrough.backward = staticmethod(honest)


def test_a_radius_in_levels_is_refused(trained: nn.Module, held_out: Digits) -> None:
    with pytest.raises(UserError, match="write 8/255"):
        nenni.diagnose(trained, held_out, eps=8)


@pytest.mark.parametrize(
    "selection",
    [
        pytest.param(nenni.Nothing(), id="none", marks=pytest.mark.slow),
        pytest.param(nenni.TopK(0.25), id="topk"),
    ],
)
def test_rounding_without_straight_through_gradient(
    selection: Any, trained: nn.Module, digits: Digits, held_out: Digits
) -> None:
    """With a quarter exact, gradients are not zero, and mislead all the same."""
    spec = InjectionSpec(
        selection, nenni.Sparse(0.5), weight_bits=4, input_bits=4, projected_bits=32
    )
    network = inject(trained, spec, held_out[0][:1])
    fit(network, digits[0][:800])
    honest = nenni.evaluate(network, held_out, SUITE, eps=EPS).robust_accuracy
    with no_straight_through():
        fooled = nenni.evaluate(network, held_out, PGD, eps=EPS).robust_accuracy
        adaptive = nenni.evaluate(network, held_out, SUITE, eps=EPS).robust_accuracy
        diagnosis = nenni.diagnose(network, held_out, eps=EPS)
    assert fooled >= honest + 0.15
    assert abs(adaptive - honest) <= 0.03
    assert diagnosis.verdict.startswith(MASKED)
    failed = set(diagnosis.rows.loc[diagnosis.rows["verdict"] == "fail", "name"])
    assert {"black box", "adaptive attacks"} <= failed


def test_large_logits(trained: nn.Module, held_out: Digits) -> None:
    """Cross entropy of logits times 100 has no gradient; the margin has."""
    masked = Scaled(trained, 100.0)
    honest = nenni.evaluate(trained, held_out, SUITE, eps=EPS).robust_accuracy
    fooled = nenni.evaluate(masked, held_out, PGD, eps=EPS).robust_accuracy
    adaptive = nenni.evaluate(masked, held_out, SUITE, eps=EPS).robust_accuracy
    diagnosis = nenni.diagnose(masked, held_out, eps=EPS)
    assert fooled >= honest + 0.15
    assert abs(adaptive - honest) <= 0.03
    assert diagnosis.verdict.startswith(MASKED)
    failed = set(diagnosis.rows.loc[diagnosis.rows["verdict"] == "fail", "name"])
    assert {"zero gradients", "losses agree"} <= failed


def test_noise_on_the_input(trained: nn.Module, held_out: Digits) -> None:
    """A single pass per gradient is fooled; the suite comes close to ten times its draws."""

    class Dropping(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return trained(x * (torch.rand_like(x) < 0.3) / 0.3)

    network = Dropping().eval()
    pgd = {"name": "pgd", "steps": 10}
    once = AttackChoice.from_config(attack_config.validate(pgd))
    examples, _ = attack_images(
        network, *held_out, once, [EPS], seed=0, name="once", checkpoint=Checkpoint()
    )
    adaptive = nenni.evaluate(network, held_out, {"pgd": pgd}, eps=EPS).robust_accuracy
    longer = {"pgd": pgd | {"samples": 100}}
    reference = nenni.evaluate(network, held_out, longer, eps=EPS).robust_accuracy
    assert robust(examples).mean() >= reference + 0.05
    assert abs(adaptive - reference) <= 0.03


def test_an_honest_network_is_trustworthy(trained: nn.Module, held_out: Digits) -> None:
    assert nenni.diagnose(trained, held_out, eps=EPS).verdict == TRUSTWORTHY
