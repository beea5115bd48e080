"""An attack as a config chooses it, which training calls in each of its steps."""

import pytest
import torch
from attack_cases import draws
from torch import Tensor, nn

from nenni.adversary import judge
from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.attacks.pgd import pgd

SETTINGS = {"name": "pgd", "norm": "linf", "steps": 3, "loss": "margin", "leave_broken": True}


def test_is_the_attack_itself_without_its_checks(
    trained: nn.Module, digits: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is seen to at the start of a training is not seen to again in each of its steps."""
    x, y = digits[0][:40], digits[1][:40]
    expected = pgd(trained, x, y, 0.1, draws(), steps=3, loss="margin", leave_broken=True)
    asked: list[object] = []
    for check in ("check_ready", "check_data"):
        monkeypatch.setattr(judge, check, lambda *_: asked.append(1))
    found = AttackChoice.from_config(SETTINGS)(trained, x, y, 0.1, draws())
    assert torch.equal(found, expected)
    assert asked == []
    pgd(trained, x, y, 0.1, draws(), steps=1)
    assert len(asked) == 2
