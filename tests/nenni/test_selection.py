import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nenni.protocols import Selection
from nenni.selection.inverted import Inverted
from nenni.selection.n_m import NM
from nenni.selection.random import Random
from nenni.selection.topk import TopK

shapes = st.sampled_from([(3, 7), (2, 8, 5, 3), (1, 5, 1, 1), (4, 6, 2, 2), (0, 4, 3, 3)])
seeds = st.integers(0, 2**31 - 1)
fractions = st.floats(0, 1)


def scores(shape: tuple[int, ...], seed: int, ties: bool) -> Tensor:
    z = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return z.round() if ties else z


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@given(shapes, seeds, fractions, st.booleans())
def test_topk_holds_the_fraction_and_keeps_the_largest(
    shape: tuple[int, ...], seed: int, fraction: float, ties: bool
) -> None:
    z = scores(shape, seed, ties)
    mask = TopK(fraction).mask(z, generator())
    flat, chosen = z.flatten(1), mask.flatten(1)
    assert (chosen.sum(1) == round(fraction * flat.shape[1])).all()
    lowest_in = torch.where(chosen, flat, torch.inf).amin(1)
    highest_out = torch.where(chosen, -torch.inf, flat).amax(1)
    assert (lowest_in >= highest_out).all()


@given(shapes, seeds, fractions)
def test_inverted_keeps_the_smallest(shape: tuple[int, ...], seed: int, fraction: float) -> None:
    z = scores(shape, seed, ties=False)
    assert torch.equal(
        Inverted(fraction).mask(z, generator()), TopK(fraction).mask(-z, generator())
    )


@given(shapes, seeds, st.integers(1, 5), st.integers(0, 4), st.booleans())
def test_n_of_m_neighbours(
    shape: tuple[int, ...], seed: int, n: int, more: int, ties: bool
) -> None:
    m = n + more
    z = scores(shape, seed, ties)
    mask = NM(n, m).mask(z, generator())
    for group, chosen in zip(z.split(m, 1), mask.split(m, 1), strict=True):
        assert (chosen.sum(1) == min(n, group.shape[1])).all()
        lowest_in = torch.where(chosen, group, torch.inf).amin(1)
        highest_out = torch.where(chosen, -torch.inf, group).amax(1)
        assert (lowest_in >= highest_out).all()


def test_wide_groups_are_counted_right() -> None:
    z = scores((2, 512), 0, ties=False)
    assert (NM(1, 256).mask(z, generator()).sum(1) == 2).all()


def test_ties_of_n_m_go_to_the_lower_channel() -> None:
    mask = NM(2, 4).mask(torch.zeros(1, 4, 1, 1), generator())
    assert mask.flatten().tolist() == [True, True, False, False]


@pytest.mark.parametrize("selection", [TopK(0.4), NM(2, 4), Inverted(0.4)])
def test_no_sample_depends_on_another(selection: Selection) -> None:
    z = scores((6, 8, 3, 3), 1, ties=False)
    whole = selection.mask(z, generator())
    for i in range(6):
        assert torch.equal(selection.mask(z[i : i + 1], generator())[0], whole[i])


@pytest.mark.parametrize("selection", [TopK(0.5), NM(2, 4)])
def test_nan_is_never_essential(selection: Selection) -> None:
    z = scores((2, 8, 2, 2), 3, ties=False)
    z[0, 3] = torch.nan
    assert not selection.mask(z, generator())[0, 3].any()


def test_random_ignores_the_score_and_differs_between_draws() -> None:
    draws = generator()
    z = scores((4, 8, 5, 5), 0, ties=False)
    first, second = Random(0.3).mask(z, draws), Random(0.3).mask(z, draws)
    assert (first.flatten(1).sum(1) == 60).all()
    assert not torch.equal(first, second)
    assert torch.equal(first, Random(0.3).mask(-z, generator()))
    assert Random.randomised
    assert not TopK.randomised
