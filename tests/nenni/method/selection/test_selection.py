"""Selections on given scores."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from selection_cases import scores, seeds

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

shapes = st.sampled_from([(3, 7), (2, 8, 5, 3), (1, 5, 1, 1), (4, 6, 2, 2), (0, 4, 3, 3)])


fractions = st.floats(0, 1)
DRAWING_NOTHING = [
    TopK(0.3), TopK(0.8), Inverted(0.5), Oracle(0.5), NM(4, 8), Block(0.3, 8, 8), Channel(0.4),
    Threshold(0.5),
]  # fmt: skip


@given(shapes, seeds, fractions, st.booleans())
def test_topk_holds_the_fraction_and_keeps_the_largest(
    shape: tuple[int, ...], seed: int, fraction: float, ties: bool
) -> None:
    z = scores(shape, seed, ties)
    mask = TopK(fraction).mask(z)
    flat, chosen = z.flatten(1), mask.flatten(1)
    assert (chosen.sum(1) == round(fraction * flat.shape[1])).all()
    lowest_in = torch.where(chosen, flat, torch.inf).amin(1)
    highest_out = torch.where(chosen, -torch.inf, flat).amax(1)
    assert (lowest_in >= highest_out).all()


@given(shapes, seeds, fractions)
def test_inverted_keeps_the_smallest(shape: tuple[int, ...], seed: int, fraction: float) -> None:
    z = scores(shape, seed, ties=False)
    assert torch.equal(Inverted(fraction).mask(z), TopK(fraction).mask(-z))


@given(shapes, seeds, st.integers(1, 5), st.integers(0, 4), st.booleans())
def test_n_of_m_neighbours(
    shape: tuple[int, ...], seed: int, n: int, more: int, ties: bool
) -> None:
    m = n + more
    z = scores(shape, seed, ties)
    mask = NM(n, m).mask(z)
    for group, chosen in zip(z.split(m, 1), mask.split(m, 1), strict=True):
        assert (chosen.sum(1) == min(n, group.shape[1])).all()
        lowest_in = torch.where(chosen, group, torch.inf).amin(1)
        highest_out = torch.where(chosen, -torch.inf, group).amax(1)
        assert (lowest_in >= highest_out).all()


def test_wide_groups_are_counted_right() -> None:
    z = scores((2, 512), 0, ties=False)
    assert (NM(1, 256).mask(z).sum(1) == 2).all()


def test_ties_of_n_m_go_to_the_lower_channel() -> None:
    mask = NM(2, 4).mask(torch.zeros(1, 4, 1, 1))
    assert mask.flatten().tolist() == [True, True, False, False]


@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("length", [4, 400, 9000])
def test_of_equal_tiles_the_first_are_essential(fraction: float, length: int) -> None:
    """However many there are, and whichever are the fewer; -0 is 0."""
    z = torch.zeros(2, 1, length)
    z[0, 0, 1::2] = -0.0
    z[1, 0, -1] = 1
    mask = Block(fraction, 1, 1).mask(z)[:, 0]
    k = round(fraction * length)
    assert mask[0].nonzero()[:, 0].tolist() == [*range(k)]
    assert mask[1].nonzero()[:, 0].tolist() == [*range(k - 1), length - 1]


@pytest.mark.parametrize(
    "selection",
    [
        TopK(0.4),
        NM(2, 4),
        Inverted(0.4),
        Block(0.4, 3, 2),
        Channel(0.4),
        Threshold(0.4),
        Oracle(0.4),
    ],
)
def test_no_sample_depends_on_another(selection: Selection) -> None:
    z = scores((6, 8, 3, 3), 1, ties=False)
    whole = selection.mask(z)
    for i in range(6):
        assert torch.equal(selection.mask(z[i : i + 1])[0], whole[i])


@pytest.mark.parametrize(
    "selection",
    [TopK(0.5), NM(2, 4), Inverted(0.5), Block(0.5, 1, 4), Channel(0.5), Threshold(0.5)],
)
def test_nan_is_never_essential(selection: Selection) -> None:
    z = scores((2, 8, 2, 2), 3, ties=False)
    z[0, 3] = torch.nan
    assert not selection.mask(z)[0, 3].any()


def test_random_ignores_the_score_and_differs_between_draws() -> None:
    z = scores((4, 8, 5, 5), 0, ties=False)
    with seeded(0):
        first, second = Random(0.3).mask(z), Random(0.3).mask(z)
    assert (first.flatten(1).sum(1) == 60).all()
    assert not torch.equal(first, second)
    with seeded(0):
        assert torch.equal(first, Random(0.3).mask(-z))
    assert Random.randomised
    assert not TopK.randomised


@given(shapes, seeds, st.floats(0, 1), st.integers(1, 5), st.integers(1, 6))
def test_blocks_are_whole_tiles_with_the_largest_means(
    shape: tuple[int, ...], seed: int, fraction: float, channels: int, positions: int
) -> None:
    """Tiles cut by hand, smaller ones at the borders."""
    z = scores(shape, seed, ties=False).double()
    mask = Block(fraction, channels, positions).mask(z)
    assert mask.shape == z.shape
    for sample, chosen in zip(z.flatten(2) if z.dim() > 2 else z[..., None],
                              mask.flatten(2) if z.dim() > 2 else mask[..., None], strict=True):  # fmt: skip
        means, states = [], []
        for rows, row_states in zip(sample.split(channels), chosen.split(channels), strict=True):
            tiles = zip(rows.split(positions, 1), row_states.split(positions, 1), strict=True)
            for tile, state in tiles:
                assert state.all() or not state.any()
                means.append(float(tile.mean()))
                states.append(bool(state.all()))
        assert sum(states) == round(fraction * len(states))
        inside = [m for m, s in zip(means, states, strict=True) if s]
        outside = [m for m, s in zip(means, states, strict=True) if not s]
        assert min(inside, default=torch.inf) >= max(outside, default=-torch.inf) - 1e-12


@given(shapes, seeds, fractions)
def test_blocks_of_one_neuron_are_topk(shape: tuple[int, ...], seed: int, fraction: float) -> None:
    z = scores(shape, seed, ties=False)
    assert torch.equal(Block(fraction, 1, 1).mask(z), TopK(fraction).mask(z))


def test_positions_of_a_block_are_counted_row_by_row() -> None:
    z = torch.zeros(1, 2, 2, 4)
    z[0, :, 0, 3] = z[0, :, 1, 0] = 1  # positions 3 and 4: neighbours in no tile of two
    z[0, :, 1, 2:] = 0.9  # positions 6 and 7: one tile
    mask = Block(0.25, 2, 2).mask(z)
    assert mask[0].nonzero().tolist() == [[0, 1, 2], [0, 1, 3], [1, 1, 2], [1, 1, 3]]


@given(shapes, seeds, fractions)
def test_channels_are_whole_and_have_the_largest_means(
    shape: tuple[int, ...], seed: int, fraction: float
) -> None:
    z = scores(shape, seed, ties=False).double()
    mask = Channel(fraction).mask(z)
    if len(shape) == 2:
        assert torch.equal(mask, TopK(fraction).mask(z))
    means = z.flatten(2).mean(2) if z.dim() > 2 else z
    chosen = mask.flatten(2)[..., 0] if z.dim() > 2 else mask
    assert torch.equal(mask, chosen.view(*chosen.shape, *(1,) * (z.dim() - 2)).expand(z.shape))
    assert torch.equal(chosen, TopK(fraction).mask(means))


def test_on_a_linear_layer_with_positions_channels_are_whole_too() -> None:
    z = scores((2, 8, 5), 0, ties=False)
    mask = Channel(0.5).mask(z)
    assert mask.all(2).sum(1).tolist() == [4, 4]
    assert (mask.all(2) == mask.any(2)).all()


def test_all_and_none() -> None:
    z = scores((2, 8, 5, 3), 0, ties=False)
    assert All().mask(z).all()
    assert not Nothing().mask(z).any()
    assert (All().nominal(), Nothing().nominal()) == (1, 0)
    assert All().margin(z, z > 0) is None
    assert Nothing().margin(z, z > 0) is None


def test_the_threshold_is_0_as_scores_come_less_the_calibrated_one() -> None:
    z = torch.tensor([[-1.0, 0.0, 1e-30, torch.inf, -torch.inf]])
    assert Threshold(0.5).mask(z).tolist() == [[False, False, True, True, False]]
    assert Threshold.calibrated
    assert not TopK.calibrated


MARGINS: list[Any] = [
    TopK(0.4), Inverted(0.4), Threshold(0.4), NM(2, 4), NM(1, 3), NM(3, 3), Block(0.4, 3, 2), Channel(0.4),
    Oracle(0.4), TopK(0.0), TopK(1.0), Block(0.0), Channel(1.0),
]  # fmt: skip


@pytest.mark.parametrize("selection", MARGINS, ids=str)
@settings(max_examples=20, deadline=None)
@given(shape=shapes, seed=seeds, ties=st.booleans())
def test_margins_agree_with_the_mask(
    selection: Selection, shape: tuple[int, ...], seed: int, ties: bool
) -> None:
    """Positive within and negative outside, 0 at most where a border runs through ties."""
    z = scores(shape, seed, ties)
    mask = selection.mask(z)
    margin = selection.margin(z, mask)
    assert margin is not None
    assert margin.shape == z.shape
    assert (margin[mask] >= 0).all()
    assert (margin[~mask] <= 0).all()
    if not ties:
        assert margin.count_nonzero() == margin.numel()


@pytest.mark.parametrize("selection", MARGINS, ids=str)
def test_margins_move_with_the_score(selection: Selection) -> None:
    """The border is constant: a margin changes as the score, or its mean, does."""
    z = scores((2, 8, 4, 3), 0, ties=False).double().requires_grad_()
    mask = selection.mask(z)
    margin = selection.margin(z, mask)
    assert margin is not None
    (gradient,) = torch.autograd.grad(margin.masked_fill(margin.isinf(), 0)[:, 3].sum(), z)
    if isinstance(selection, Channel | Block):
        assert (gradient >= 0).all()
        others = gradient.clone()
        others[:, 3:6] = 0  # a tile of three channels, or the channel itself
        assert not others.any()
        if selection.nominal() not in (0, 1):
            assert float(gradient.sum()) == pytest.approx(2 * 4 * 3)
    else:
        finite = (~margin.isinf())[:, 3].double()
        sign = -1 if isinstance(selection, Inverted) else 1
        expected = torch.zeros_like(gradient)
        expected[:, 3] = sign * finite
        torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("selection", DRAWING_NOTHING, ids=str)
def test_no_mask_hangs_on_what_else_is_in_the_batch(
    selection: Selection, last: bool, ties: bool
) -> None:
    """Of layers of a real size too, and with one image whose scores are no numbers."""
    for shape in ((14, 16, 32, 32), (14, 12, 9, 7)):
        z = scores(shape, 0, ties)
        z[3, :5] = torch.nan
        z = z.to(memory_format=torch.channels_last) if last else z
        alone = torch.cat([selection.mask(image) for image in z.split(1)])
        assert torch.equal(selection.mask(z), alone)
        order = torch.arange(13, -1, -1)
        assert torch.equal(selection.mask(z[order])[order], alone)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("selection", DRAWING_NOTHING, ids=str)
def test_no_mask_hangs_on_the_layout_in_memory(selection: Selection, ties: bool) -> None:
    for shape in ((3, 16, 32, 32), (3, 12, 9, 7)):
        z = scores(shape, 1, ties)
        mask = selection.mask(z.to(memory_format=torch.channels_last))
        assert torch.equal(mask, selection.mask(z))


@pytest.mark.parametrize(
    "selection",
    [TopK(0.3), Inverted(0.6), Threshold(0.5), NM(2, 4), NM(4, 8), Block(0.5, 8, 7)],
    ids=str,
)
def test_a_mask_lies_in_memory_as_its_score(selection: Selection) -> None:
    """It need not be transposed where it is mixed with."""
    z = scores((3, 16, 9, 7), 1, ties=False)
    for score in (z, z.to(memory_format=torch.channels_last)):
        assert selection.mask(score).stride()[1:] == score.stride()[1:]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("selection", [TopK(0.3), Inverted(0.6), Channel(0.4)], ids=str)
def test_a_traced_mask_is_the_same_though_scores_tie(selection: Selection, last: bool) -> None:
    for shape in ((2, 16, 32, 32), (2, 8, 5, 3)):
        z = scores(shape, 2, ties=True)
        z = z.to(memory_format=torch.channels_last) if last else z
        traced = torch.compile(selection.mask, fullgraph=True, backend="aot_eager")
        assert torch.equal(traced(z), selection.mask(z))
