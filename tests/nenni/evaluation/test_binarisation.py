"""Planted points that a working attack finds."""

from functools import partial

import pytest
from torch import Tensor, nn
from zoo import load_zoo

from nenni.adversary.attacks.pgd import pgd
from nenni.evaluation.binarisation import planted_and_missed

Digits = tuple[Tensor, Tensor]
ZOO = load_zoo()


def shares(model: nn.Module, digits: Digits, norm: str = "linf") -> tuple[float, float]:
    eps = 0.1 if norm == "linf" else 2.0
    attack = partial(pgd, norm=norm)
    planted, missed = planted_and_missed(
        model.eval(),
        digits[0][800:860],
        eps=eps,
        norm=norm,
        attack=attack,
        seed=0,  # type: ignore[arg-type]
    )
    assert not (missed & ~planted).any()
    return float(planted.double().mean()), float(missed.double().sum() / planted.sum().clamp(1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_an_honest_network_it_finds_them(norm: str, trained: nn.Module, digits: Digits) -> None:
    planted, missed = shares(trained, digits, norm)
    assert planted > 0.5
    assert missed <= 0.03


def test_a_masked_gradient_misses_them(trained: nn.Module, digits: Digits) -> None:
    for mask in (lambda x: x.detach() + 0 * x, ZOO._turned(lambda g: -g)):
        planted, missed = shares(ZOO.Behind(trained, before=mask), digits)
        assert planted > 0.5
        assert missed > 0.8


def test_without_a_last_linear_layer_nothing_is_planted(digits: Digits) -> None:
    model = nn.Sequential(nn.Conv2d(1, 10, 5, stride=3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert shares(model, digits) == (0.0, 0.0)


def test_a_head_that_the_logits_do_not_hear_is_not_the_last_layer(
    trained: nn.Module, digits: Digits
) -> None:
    """A detached head that runs last was taken for it, and the diagnosis failed."""

    class Watched(nn.Module):
        def __init__(self, cut: bool) -> None:
            super().__init__()
            self.network, self.head, self.cut = trained, nn.Linear(10, 1), cut

        def forward(self, x: Tensor) -> Tensor:
            z = self.network(x)
            self.head(z.detach() if self.cut else z)
            return z  # type: ignore[no-any-return]

    plain = shares(trained, digits)
    assert shares(Watched(cut=True), digits) == plain
    assert shares(Watched(cut=False), digits) == plain
