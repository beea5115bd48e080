"""Evaluation and diagnosis of one network share their attacks."""

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import nenni

Digits = tuple[Tensor, Tensor]
EPS = 0.05


@pytest.mark.long
def test_what_one_has_done_the_other_does_not_repeat(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][800:820], digits[1][800:820]
    whole = nenni.evaluate(trained, (x, y), eps=EPS)
    lines: list[str] = []
    after = nenni.diagnose(trained, (x, y), eps=EPS, done=whole.done, progress=lines.append)
    made = {line.partition(":")[0] for line in lines}
    assert "apgd_targeted" not in made
    assert "square" not in made
    assert {"restarts", "twice_steps"} <= made
    alone = nenni.diagnose(trained, (x, y), eps=EPS)
    pd.testing.assert_frame_equal(after.rows, alone.rows)
    again = nenni.evaluate(trained, (x, y), eps=EPS, done=after.done)
    pd.testing.assert_frame_equal(again.summary, whole.summary)


def test_another_network_or_other_images_share_nothing(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][800:810], digits[1][800:810]
    suite = {"fgsm": {"name": "fgsm"}}
    done = nenni.evaluate(trained, (x, y), suite, eps=EPS).done
    other = nn.Sequential(trained, nn.Linear(10, 10)).eval()
    with torch.no_grad():
        other[1].weight.copy_(torch.eye(10).flip(0))
        other[1].bias.zero_()
    for model, data in ((other, (x, y)), (trained, (x.flip(3), y)), (trained, (x, (y + 1) % 10))):
        apart = nenni.evaluate(model, data, suite, eps=EPS)
        shared = nenni.evaluate(model, data, suite, eps=EPS, done=done)
        pd.testing.assert_frame_equal(apart.summary, shared.summary)


def test_what_was_noted_of_an_attack_is_said_again(trained: nn.Module, digits: Digits) -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return trained(x)[:, :2]

    x = digits[0][800:810]
    data = (x, Two()(x).argmax(1))
    suite = {"dlr": {"name": "pgd", "loss": "dlr", "steps": 2}}
    first = nenni.evaluate(Two().eval(), data, suite, eps=EPS)
    assert "DLR loss is undefined" in first.summary.set_index("attack").loc["dlr", "notes"]
    again = nenni.evaluate(Two().eval(), data, suite, eps=EPS, done=first.done)
    pd.testing.assert_frame_equal(again.summary, first.summary)
