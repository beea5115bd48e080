"""What selections declare is what their masks show."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from selection_cases import scores, seeds
from torch import Tensor

from nenni.core.seeding import seeded
from nenni.method.selection.all import All
from nenni.method.selection.block import Block
from nenni.method.selection.channel import Channel
from nenni.method.selection.inverted import Inverted
from nenni.method.selection.n_m import NM
from nenni.method.selection.none import Nothing
from nenni.method.selection.oracle import Oracle
from nenni.method.selection.random import Random
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection

EACH: list[Selection] = [
    TopK(0.4), Threshold(0.4), NM(2, 4), NM(3, 5), Block(0.5, 3, 4), Channel(0.5), Random(0.4),
    Inverted(0.4), Oracle(0.4), All(), Nothing(),
]  # fmt: skip


def tiles_of(mask: Tensor, channels: int | None, positions: int | None) -> list[Tensor]:
    """The parts of a sample's mask (C, positions), smaller ones at the borders."""
    rows = mask.split(channels or mask.shape[0])
    return [tile for row in rows for tile in row.split(positions or mask.shape[1], 1)]


@pytest.mark.parametrize("selection", EACH, ids=repr)
@given(seed=seeds, channels=st.integers(1, 9), size=st.integers(1, 5))
def test_neurons_of_a_tile_are_essential_together(
    selection: Selection, seed: int, channels: int, size: int
) -> None:
    mask = selection.mask(scores((2, channels, size, size), seed, ties=False))
    for sample in mask.flatten(2):
        for tile in tiles_of(sample, *selection.tile()):
            assert tile.all() or not tile.any()


@pytest.mark.parametrize("selection", EACH, ids=repr)
@given(seed=seeds, channels=st.integers(1, 11))
def test_n_of_every_m_neighbours_are_essential(
    selection: Selection, seed: int, channels: int
) -> None:
    if (declared := selection.n_of_m()) is None:
        return
    n, m = declared
    mask = selection.mask(scores((2, channels, 3), seed, ties=False))
    for group in mask.split(m, 1):
        assert (group.sum(1) == min(n, group.shape[1])).all()
    pairs = [(i, j) for i in range(channels) for j in range(i) if i // m == j // m]
    assert selection.comparisons(channels) == len(pairs)


@pytest.mark.parametrize("selection", EACH, ids=repr)
def test_masks_that_judge_nothing_do_not_follow_the_score(selection: Selection) -> None:
    z = scores((4, 8, 5, 5), 0, ties=False)
    masks = []
    for score in (z, z.flip(1)):
        with seeded(0):
            masks.append(selection.mask(score))
    first, second = masks
    assert torch.equal(first, second) == (selection.judges == "nothing")


@pytest.mark.parametrize("selection", EACH, ids=repr)
def test_draws_are_declared(selection: Selection) -> None:
    z = scores((4, 8, 5, 5), 0, ties=False)
    same = torch.equal(selection.mask(z), selection.mask(z))
    assert same != selection.randomised


def test_what_is_adjustable_has_a_fraction() -> None:
    fixed = {type(selection) for selection in EACH if not selection.adjustable}
    assert fixed == {NM, All, Nothing}


def test_only_the_oracle_judges_the_exact_values() -> None:
    assert [type(selection) for selection in EACH if selection.judges_exact] == [Oracle]
