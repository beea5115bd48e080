"""The diagnostics and the suite must break networks that are masked on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
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
from nenni.evaluation.battery import Battery, Scaled
from nenni.evaluation.battery_attacks import WHITE_BOX
from nenni.evaluation.diagnose import MASKED, TRUSTWORTHY, UNDECIDED, UNSEEN, holm, judge
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
    return digits[0][800:860], digits[1][800:860]


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
        pytest.param(nenni.TopK(0.25), id="topk", marks=pytest.mark.slow),
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
    assert "black box" in failed
    assert len(failed) > 2


@pytest.mark.slow
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
    assert "losses agree" in failed


@pytest.mark.long
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


@pytest.mark.long
def test_an_honest_network_is_trustworthy(trained: nn.Module, held_out: Digits) -> None:
    assert nenni.diagnose(trained, held_out, eps=EPS).verdict == TRUSTWORTHY


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def share(bad: int, n: int) -> str:
    """Verdict on one check of many, of which so many images speak against the network."""
    rows, _ = judge(battery_with("zero gradients", bad, n))
    return str(rows.set_index("name").loc["zero gradients", "verdict"])


def battery_with(name: str, bad: int, n: int, *, copied: bool = True) -> Any:
    """A battery in which nothing speaks against the network, but for one check."""
    table = pd.DataFrame(
        {
            f"{k}_{kind}": np.zeros(n)
            for k in ("clean", "adv", "any")
            for kind in ("chosen", "correct")
        }
    )
    flags = np.zeros(n)
    flags[:bad] = 1
    nothing = np.zeros(n)
    return Battery(
        tables=dict.fromkeys(("pgd_20", "fgsm", "random_noise", *WHITE_BOX, "square"), table),
        by_eps={0.1: table, 0.2: table}, by_steps={20: table}, at_half=table, unbounded=table,
        largest_class=0.2, zero_gradients=flags if name == "zero gradients" else nothing,
        disagreement={10: nothing}, planted=nothing, missed=nothing, inconsistent={},
        path=[-1.0, 1.0, 1.0, 1.0], exact_accuracy=None, rounds=False, copied=copied,
    )  # fmt: skip


def test_a_check_fails_by_a_bound_and_not_by_a_share() -> None:
    """Threshold 2 %: between what passes and what fails lies what too few images cannot say."""
    assert [share(bad, 60) for bad in (0, 1, 2, 6)] == [
        "pass", "pass", "too few images", "fail",
    ]  # fmt: skip
    assert [share(bad, 200) for bad in (4, 5, 12)] == ["pass", "too few images", "fail"]
    assert share(3, 3) == "fail"
    assert share(1, 3) == "too few images"


def test_the_verdict_names_the_strongest_evidence() -> None:
    rows, verdict = judge(battery_with("zero gradients", 30, 60))
    assert verdict == (
        f"{MASKED}: an image whose gradient is exactly zero cannot be attacked by it, 50% of the "
        "images"
    )
    assert rows.iloc[-1][["name", "value", "verdict"]].tolist() == ["all checks", 1, "fail"]
    assert judge(battery_with("zero gradients", 0, 60))[1] == TRUSTWORTHY
    undecided = judge(battery_with("zero gradients", 2, 60))[1]
    assert undecided.startswith(f"{UNDECIDED}, too few images (n = 60): ")
    assert judge(battery_with("zero gradients", 0, 19))[1].startswith(f"{UNDECIDED}, too few")
    uncopied = judge(battery_with("zero gradients", 0, 60, copied=False))[1]
    assert uncopied == f"{UNDECIDED}: {UNSEEN}"


def test_a_ball_of_no_size_is_refused(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(UserError, match="nothing to diagnose"):
        nenni.diagnose(trained, (digits[0][:4], digits[1][:4]), eps=0)
