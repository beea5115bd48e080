"""Auto-PGD: its schedule, and what it does with images that are broken."""

from functools import partial

import pytest
import torch
from attack_cases import draws
from torch import Tensor, nn

from nenni.adversary.attacks.apgd import _checkpoints, apgd
from nenni.adversary.attacks.pgd import pgd
from nenni.adversary.judge import Judge, Watched

Digits = tuple[Tensor, Tensor]


def judged(model: nn.Module, x: Tensor, y: Tensor, eps: float, **options: object) -> Judge:
    judge = Judge(None, x, y, eps, "linf")
    apgd(Watched(model, judge, torch.arange(len(x))), x, y, eps, draws(), **options)  # type: ignore[arg-type]
    return judge


def test_checkpoints_are_those_of_the_paper() -> None:
    """Shares 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93 and 0.99 of 100 steps."""
    assert list(_checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert [*_checkpoints(1)] == [1]
    assert all(step <= 7 for step in _checkpoints(7))


def test_it_is_stronger_than_pgd_of_as_many_steps(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][800:880], digits[1][800:880]
    last = pgd(trained, x, y, 0.04, draws(), steps=30)
    by_pgd = int((trained(last).argmax(1) == y).sum())
    for loss in ("ce", "pm", "dlr"):
        assert int((~judged(trained, x, y, 0.04, loss=loss, steps=30).broken).sum()) <= by_pgd


def test_broken_images_leave_and_the_worst_points_return(
    trained: nn.Module, digits: Digits
) -> None:
    x, y = digits[0][800:860], digits[1][800:860]
    judge = judged(trained, x, y, 0.05, steps=20, restarts=3)
    right = trained(x).argmax(1) == y
    assert judge.forwards[judge.broken & right].max() < 63
    assert (judge.forwards[~judge.broken] == 63).all()
    images = apgd(trained, x, y, 0.05, draws(), steps=20, restarts=3)
    assert torch.equal(trained(images).argmax(1) != y, judge.broken)


def test_no_image_of_a_randomised_network_leaves(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][800:810], digits[1][800:810]
    judge = Judge(None, x, y, 0.3, "linf", randomised=True)
    apgd(Watched(trained, judge, torch.arange(10)), x, y, 0.3, draws(), steps=5, samples=3)
    assert (judge.forwards == 18).all()
    assert (judge.wrong == 1).sum() >= 8


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_samples_do_not_depend_on_their_batch(
    norm: str, trained: nn.Module, digits: Digits
) -> None:
    model = nn.Sequential(trained).double().eval()
    x, y = digits[0][800:806].double(), digits[1][800:806]
    attack = partial(apgd, norm=norm, steps=8, loss="margin")
    eps = 0.02 if norm == "linf" else 0.4
    try:
        whole = attack(model, x, y, eps, draws())
        single = [attack(model, x[i : i + 1], y[i : i + 1], eps, draws()) for i in range(6)]
    finally:
        trained.float()
    torch.testing.assert_close(whole, torch.cat(single), rtol=0, atol=1e-9)
