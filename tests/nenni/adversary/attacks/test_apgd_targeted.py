"""Auto-PGD towards one class after another, the nearest first."""

import torch
from attack_cases import draws
from torch import Tensor, nn

from nenni.adversary.attacks.apgd import apgd
from nenni.adversary.attacks.apgd_targeted import _nearest, apgd_targeted
from nenni.adversary.gradient import frozen
from nenni.adversary.judge import watched

WEIGHT = torch.tensor([[1.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 0.5], [-1.0, 0.0, 0.0]])


def network() -> nn.Module:
    model = nn.Linear(3, 4, bias=False)
    model.weight.data = WEIGHT
    return model


def test_targets_are_ranked_by_the_linearised_way() -> None:
    """From class 0 at (1, .2, .9): gaps .2, .55, 2; L1 of the slopes 5, 1.5, 2."""
    x, y = torch.tensor([[1.0, 0.2, 0.9]]), torch.zeros(1, dtype=torch.int64)
    model = network()
    with frozen(model):
        found = _nearest(watched(model, x, y, 0.1, "linf"), x, y, 3, "linf", 1)
        assert found.tolist() == [[1, 2, 3]]
        x = torch.tensor([[0.9, 0.1, 0.9]])
        found = _nearest(watched(model, x, y, 0.1, "linf"), x, y, 2, "linf", 1)
    assert found.tolist() == [[1, 2]]


def test_a_decoy_that_is_always_second_stops_it_not() -> None:
    """What rises under the margin is the decoy, which never wins."""

    class Decoy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = x @ WEIGHT.T * 0.01
            return torch.cat([z, z.amax(1, keepdim=True) - 1e-4], 1)

    x, y = torch.tensor([[1.0, 0.2, 0.5]]), torch.zeros(1, dtype=torch.int64)
    away = apgd(Decoy(), x, y, 0.1, draws(), loss="margin", steps=40)
    assert Decoy()(away).argmax(1) == 0
    towards = apgd_targeted(Decoy(), x, y, 0.1, draws(), loss="margin", steps=40)
    assert Decoy()(towards).argmax(1) == 1
