"""RayS, by labels alone."""

import torch
from attack_cases import draws
from torch import Tensor, nn

from nenni.adversary.attacks.rays import _blocks, rays
from nenni.adversary.judge import Judge, Watched

Digits = tuple[Tensor, Tensor]


def test_blocks_are_halved_again_and_again() -> None:
    found = [pair for pair, _ in zip(_blocks(6), range(14), strict=False)]
    assert found[:3] == [(0, 6), (0, 3), (3, 6)]
    assert found[3:6] == [(0, 2), (2, 4), (4, 6)]
    assert found[6:12] == [(i, i + 1) for i in range(6)]
    assert found[12] == (0, 1), "single values over and over"
    assert [*_blocks(0)] == []


def test_it_finds_the_nearest_corner_of_a_linear_network() -> None:
    """The border of w.x > c is nearest along -sign(w), at (w.x - c) / |w|_1."""
    weight = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0, 0.7, -0.2, 1.5])
    x, y = torch.full((1, 8), 0.5), torch.ones(1, dtype=torch.int64)
    margin = 0.9

    class Labels(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return ((x - 0.5) @ weight + margin > 0).long()

    nearest = margin / float(weight.abs().sum())
    found = rays(Labels(), x, y, float("inf"), draws(), queries=400)
    assert Labels()(found) == 0
    assert float((found - x).abs().max()) < 1.05 * nearest
    assert Labels()(rays(Labels(), x, y, 1.05 * nearest, draws(), queries=400)) == 0
    assert torch.equal(rays(Labels(), x, y, 0.95 * nearest, draws(), queries=400), x)


def test_images_leave_once_their_border_is_near(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][800:820], digits[1][800:820]
    judge = Judge(None, x, y, 0.1, "linf")
    with torch.no_grad():
        found = rays(Watched(trained, judge, torch.arange(20)), x, y, 0.1, draws(), queries=200)
        wrong = trained(found).argmax(1) != y
    assert 3 < wrong.sum() < 20
    assert judge.forwards[wrong].mean() < judge.forwards[~wrong].mean()
    assert judge.forwards.max() < 200 + 12
    assert (judge.backwards == 0).all()
