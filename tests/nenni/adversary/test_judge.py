"""Any point of the ball that an attack tried counts, by the judged network's word alone."""

import pytest
import torch
from attack_cases import draws, linear
from torch import Tensor, nn

from nenni.adversary.attacks.pgd import pgd
from nenni.adversary.judge import Judge, Watched, watched
from nenni.core.errors import UserError

Digits = tuple[Tensor, Tensor]
X = torch.full((3, 2), 0.5)
Y = torch.ones(3, dtype=torch.int64)
NETWORK = linear(torch.tensor([1.0, 0.0]), -0.45)
"""Class 1 where the first value is above 0.45."""


def judge(**options: object) -> Judge:
    return Judge(None, X, Y, 0.1, "linf", **options)  # type: ignore[arg-type]


def at(*values: float) -> Tensor:
    return torch.tensor([[value, 0.5] for value in values])


def test_the_worst_point_of_each_image_is_kept() -> None:
    found = judge()
    network = Watched(NETWORK, found, torch.arange(3))
    network(at(0.5, 0.44, 0.46))
    assert found.broken.tolist() == [False, True, False]
    network(at(0.48, 0.5, 0.5))
    network(at(0.49, 0.43, 0.47))
    assert found.broken.tolist() == [False, True, False]
    assert torch.equal(found.images[:, 0], torch.tensor([0.48, 0.43, 0.46]))
    torch.testing.assert_close(found.margin, torch.tensor([-0.03, 0.02, -0.01]).double())
    assert len(found.history) == 3


def test_points_outside_the_ball_do_not_count() -> None:
    found = judge()
    Watched(NETWORK, found, torch.arange(3))(at(0.3, 0.39, 0.41))
    assert found.broken.tolist() == [False, False, True]
    assert torch.equal(found.images[:2], X[:2])


def test_outputs_that_are_not_finite_count_as_wrong() -> None:
    found = judge()
    network = Watched(nn.Linear(2, 2), found, torch.arange(3))
    nn.init.constant_(network.network.weight, torch.nan)
    network(X)
    assert found.broken.all()


def test_rows_and_passes_are_those_of_the_images() -> None:
    found = judge()
    network = Watched(NETWORK, found, torch.arange(3))
    some = network.of(torch.tensor([2, 0]))
    points = at(0.44, 0.48).requires_grad_()
    some(points).sum().backward()
    assert found.broken.tolist() == [False, False, True]
    assert some.broken.tolist() == [True, False]
    assert torch.equal(some.worst, found.images[[2, 0]])
    assert found.forwards.tolist() == [1, 0, 1]
    assert found.backwards.tolist() == [1, 0, 1]
    network(torch.rand(6, 2))
    assert found.forwards.tolist() == [3, 2, 3], "points of another number are shared out"


def test_a_surrogates_points_are_asked_of_the_judged_network() -> None:
    """What fools the surrogate alone is no success, and what it does not see is one."""
    blind = linear(torch.tensor([0.0, 1.0]), -0.45)
    found = Judge(NETWORK, X, Y, 0.1, "linf")
    network = Watched(blind, found, torch.arange(3))
    network(torch.tensor([[0.44, 0.5], [0.5, 0.42], [0.44, 0.42]]))
    assert found.broken.tolist() == [True, False, True]
    assert found.forwards.tolist() == [2, 2, 2]


def test_one_lucky_pass_breaks_no_randomised_network() -> None:
    found = judge(randomised=True)
    network = Watched(NETWORK, found, torch.arange(3))
    with network.one_point(X):
        for value in (0.44, 0.5, 0.5):
            network(at(value, 0.5, 0.44))
    assert not found.broken.any()
    torch.testing.assert_close(found.wrong, torch.tensor([1 / 3, 0, 1]).double())
    with network.one_point(X, shown=False):
        network(at(0.44, 0.44, 0.44))
    torch.testing.assert_close(found.wrong, torch.tensor([1 / 3, 0, 1]).double())


def test_an_iterate_that_succeeds_counts_where_the_last_does_not() -> None:
    """Steps so long that PGD leaps over a valley and ends where it began."""

    class Valley(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            inside = 0.02 - (x[:, 0] - 0.44).abs()
            return torch.stack([inside, torch.zeros_like(inside)], 1)

    found = judge()
    network = Watched(Valley(), found, torch.arange(3))
    last = pgd(network, X, Y, 0.1, draws(), steps=6, relative_step=4.2, random_start=False)
    assert (Valley()(last).argmax(1) == 1).all()
    assert found.broken.all()
    assert (Valley()(found.images).argmax(1) == 0).all()


def test_a_network_may_overwrite_what_it_is_given() -> None:
    class Careless(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x.mul_(0.5).sub_(0.1)
            return NETWORK(2 * x + 0.2)  # type: ignore[no-any-return]

    plain = pgd(NETWORK, X, Y, 0.1, draws(), steps=5)
    assert torch.equal(pgd(Careless(), X.clone(), Y, 0.1, draws(), steps=5), plain)
    found = judge()
    Watched(Careless(), found, torch.arange(3))(at(0.44, 0.5, 0.5))
    assert torch.equal(found.images[0], at(0.44)[0])


@pytest.mark.parametrize("eps", [8, 1.01, -0.1, float("nan")])
def test_what_is_no_radius_is_refused(eps: float) -> None:
    with pytest.raises(UserError, match="eps is in units of"):
        pgd(NETWORK, X, Y, eps, draws())


def test_what_is_watched_already_stays_so() -> None:
    network = Watched(NETWORK, judge(), torch.arange(3))
    assert watched(network, X, Y, 0.1, "linf") is network
    alone = watched(NETWORK, X, Y, 0.1, "linf")
    assert not alone.broken.any()
    assert not alone.leave


def test_what_is_watched_without_a_judge_gets_one_where_an_attack_needs_it() -> None:
    rows = torch.tensor([2, 0, 1])
    network = Watched(NETWORK, None, rows, 2)
    assert watched(network, X, Y, 0.1, "linf") is network
    found = watched(network, X, Y, 0.1, "linf", judged=True)
    assert found.judge is not None
    assert (found.network, found.classes) == (network.network, 2)
    assert torch.equal(found.rows, rows)
    assert watched(found, X, Y, 0.1, "linf", judged=True) is found
