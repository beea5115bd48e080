from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nenni import fitting
from nenni.capturing import visit_exact
from nenni.fitting import fit, set_thresholds
from nenni.injection import inject, noisy_layers, set_fractions
from nenni.layers import NoisyLayer
from nenni.protocols import Selection
from nenni.reporting import report
from nenni.selection._ranking import top_k
from nenni.selection.all import All
from nenni.selection.block import Block
from nenni.selection.channel import Channel
from nenni.selection.inverted import Inverted
from nenni.selection.n_m import NM
from nenni.selection.none import Nothing
from nenni.selection.oracle import Oracle
from nenni.selection.random import Random
from nenni.selection.threshold import Threshold
from nenni.selection.topk import TopK
from nenni.spec import InjectionSpec

MakeSpec = Callable[..., InjectionSpec]

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
    whole = selection.mask(z, generator())
    for i in range(6):
        assert torch.equal(selection.mask(z[i : i + 1], generator())[0], whole[i])


@pytest.mark.parametrize(
    "selection",
    [TopK(0.5), NM(2, 4), Inverted(0.5), Block(0.5, 1, 4), Channel(0.5), Threshold(0.5)],
)
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


KINDS = ["normal", "ties", "constant", "relu", "skewed", "steps", "infinite", "nan", "all nan"]


def long_rows(kind: str, rows: int, n: int, seed: int) -> Tensor:
    """Rows of every awkward kind."""
    z = torch.randn(rows, n, generator=torch.Generator().manual_seed(seed))
    special = torch.rand(rows, n, generator=torch.Generator().manual_seed(seed + 1)) < 0.2
    return {
        "normal": z,
        "ties": z.round(decimals=1),
        "constant": torch.full_like(z, 3.25),
        "relu": z.relu(),
        "skewed": z.mul(6).exp(),
        "steps": z.sort(1).values.sign() * 1e30,
        "infinite": z.masked_fill(special, torch.inf).masked_fill(z < -1.5, -torch.inf),
        "nan": z.masked_fill(special, torch.nan),
        "all nan": torch.full_like(z, torch.nan),
    }[kind]


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    st.sampled_from([8191, 8192, 8193, 20_001]),
    st.one_of(st.floats(0, 1), st.sampled_from([1e-4, 0.1, 0.5, 0.9, 0.9999])),
    seeds,
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_long_rows_hold_the_count_and_keep_the_largest(
    kinds: list[str], n: int, fraction: float, seed: int, dtype: torch.dtype
) -> None:
    """Above 8,191 neurons the search is narrowed down first; rows of all kinds share a batch."""
    rows = torch.cat([long_rows(kind, 1, n, seed + i) for i, kind in enumerate(kinds)]).to(dtype)
    mask = top_k(rows, fraction)
    k = round(fraction * n)
    assert mask.sum(1).tolist() == [k] * len(rows)
    ranked = rows.masked_fill(rows.isnan(), -torch.inf)
    for row, chosen in zip(ranked, mask, strict=True):
        expected = row.sort(descending=True).values[:k]
        assert torch.equal(row[chosen].sort(descending=True).values, expected)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([40, 9000]), st.floats(0, 1), seeds, st.sampled_from(["ties", "relu", "nan"])
)
def test_rows_are_ranked_one_by_one(n: int, fraction: float, seed: int, kind: str) -> None:
    rows = torch.cat([long_rows(kind, 1, n, seed), long_rows("skewed", 2, n, seed)])
    assert torch.equal(top_k(rows, fraction)[:1], top_k(rows[:1], fraction))


def test_the_layout_in_memory_changes_no_mask() -> None:
    for shape in ((3, 8, 5, 7), (2, 32, 20, 20)):
        z = scores(shape, 0, ties=False)
        mask = TopK(0.3).mask(z, generator())
        last = TopK(0.3).mask(z.to(memory_format=torch.channels_last), generator())
        assert torch.equal(last, mask)
        assert last.is_contiguous(memory_format=torch.channels_last)
        assert mask.is_contiguous()
        swapped = TopK(0.3).mask(z.transpose(2, 3), generator())
        assert torch.equal(swapped, mask.transpose(2, 3))


def test_random_holds_the_fraction_in_long_rows_and_draws_evenly() -> None:
    mask = Random(0.3).mask(torch.zeros(60, 40, 16, 16), generator()).flatten(1)
    assert (mask.sum(1) == round(0.3 * 40 * 256)).all()
    shares = mask.float().mean(0)
    assert (shares - 0.3).abs().max() < 5.5 * (0.3 * 0.7 / 60) ** 0.5


@given(shapes, seeds, st.floats(0, 1), st.integers(1, 5), st.integers(1, 6))
def test_blocks_are_whole_tiles_with_the_largest_means(
    shape: tuple[int, ...], seed: int, fraction: float, channels: int, positions: int
) -> None:
    """Tiles cut by hand, smaller ones at the borders."""
    z = scores(shape, seed, ties=False).double()
    mask = Block(fraction, channels, positions).mask(z, generator())
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
    assert torch.equal(
        Block(fraction, 1, 1).mask(z, generator()), TopK(fraction).mask(z, generator())
    )


def test_positions_of_a_block_are_counted_row_by_row() -> None:
    z = torch.zeros(1, 2, 2, 4)
    z[0, :, 0, 3] = z[0, :, 1, 0] = 1  # positions 3 and 4: neighbours in no tile of two
    z[0, :, 1, 2:] = 0.9  # positions 6 and 7: one tile
    mask = Block(0.25, 2, 2).mask(z, generator())
    assert mask[0].nonzero().tolist() == [[0, 1, 2], [0, 1, 3], [1, 1, 2], [1, 1, 3]]


@given(shapes, seeds, fractions)
def test_channels_are_whole_and_have_the_largest_means(
    shape: tuple[int, ...], seed: int, fraction: float
) -> None:
    z = scores(shape, seed, ties=False).double()
    mask = Channel(fraction).mask(z, generator())
    if len(shape) == 2:
        assert torch.equal(mask, TopK(fraction).mask(z, generator()))
    means = z.flatten(2).mean(2) if z.dim() > 2 else z
    chosen = mask.flatten(2)[..., 0] if z.dim() > 2 else mask
    assert torch.equal(mask, chosen.view(*chosen.shape, *(1,) * (z.dim() - 2)).expand(z.shape))
    assert torch.equal(chosen, TopK(fraction).mask(means, generator()))


def test_on_a_linear_layer_with_positions_channels_are_whole_too() -> None:
    z = scores((2, 8, 5), 0, ties=False)
    mask = Channel(0.5).mask(z, generator())
    assert mask.all(2).sum(1).tolist() == [4, 4]
    assert (mask.all(2) == mask.any(2)).all()


def test_all_and_none() -> None:
    z = scores((2, 8, 5, 3), 0, ties=False)
    assert All().mask(z, generator()).all()
    assert not Nothing().mask(z, generator()).any()
    assert (All().nominal(), Nothing().nominal()) == (1, 0)
    assert All().margin(z, z > 0) is None
    assert Nothing().margin(z, z > 0) is None


def test_the_threshold_is_0_as_scores_come_less_the_calibrated_one() -> None:
    z = torch.tensor([[-1.0, 0.0, 1e-30, torch.inf, -torch.inf]])
    assert Threshold(0.5).mask(z, generator()).tolist() == [[False, False, True, True, False]]
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
    mask = selection.mask(z, generator())
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
    mask = selection.mask(z, generator())
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


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.83, 1.0])
@pytest.mark.parametrize("normalise", [True, False])
def test_thresholds_hold_the_fraction_on_the_images_of_the_fit(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], fraction: float,
    normalise: bool,
) -> None:  # fmt: skip
    """Where scores tie with the threshold, the fraction lies between those beyond and those at it."""
    spec = make_spec(selection=Threshold(fraction), normalise=normalise, score="magnitude")
    noisy = inject(trained, spec, digits[0][:1])
    batches = digits[0][:300].split(130)
    fit(noisy, batches)
    scores: dict[str, list[Tensor]] = {name: [] for name, _ in noisy_layers(noisy)}

    def visit(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        scores[name].append(layer.score(layer.approximate(x)).flatten())

    visit_exact(noisy, batches, visit)
    found = report(noisy, batches).set_index("layer")["fraction"]
    for name, parts in scores.items():
        beyond, at_least = ((torch.cat(parts) > 0), (torch.cat(parts) >= 0))
        assert beyond.double().mean() <= fraction + 0.005
        assert at_least.double().mean() >= fraction - 0.005
        assert found[name] == pytest.approx(float(beyond.double().mean()), abs=1e-9)
        assert found[name] == pytest.approx(fraction, abs=0 if fraction in (0, 1) else 0.03)
    assert (report(noisy, digits[0][300:600])["fraction"] - fraction).abs().max() < 0.06


def test_thresholds_follow_a_change_of_fraction(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    noisy = inject(trained, make_spec(selection=Threshold(0.5)), digits[0][:1])
    fit(noisy, digits[0][:300])
    set_fractions(noisy, {"conv3": 0.2})
    set_thresholds(noisy, [digits[0][:300]])
    found = report(noisy, digits[0][:300]).set_index("layer")["fraction"]
    assert found["conv3"] == pytest.approx(0.2, abs=0.01)
    assert found["conv2"] == pytest.approx(0.5, abs=0.01)


def test_thresholds_are_read_from_all_parts_of_an_image(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample at regular steps may fall on one column alone, e.g. on the border."""
    monkeypatch.setattr(fitting, "_SAMPLED_SCORES", 8 * 16)  # of 8 x 16 x 16: every 16th
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 2, 1))
    x = torch.randn(60, 3, 16, 16, generator=generator()) * torch.linspace(0.1, 3, 16)
    spec = make_spec(selection=Threshold(0.3), score="magnitude", min_inputs=1)
    noisy = inject(model, spec, x[:1])
    fit(noisy, x)
    assert report(noisy, x)["fraction"].item() == pytest.approx(0.3, abs=0.03)


def test_every_image_counts_the_same_for_a_threshold(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small last batch weighs no more than its images."""
    monkeypatch.setattr(fitting, "_SAMPLED_SCORES", 64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 2, 1))
    x = torch.randn(110, 3, 16, 16, generator=generator())
    x[100:] *= 10
    spec = make_spec(selection=Threshold(0.3), score="magnitude", min_inputs=1)
    noisy = inject(model, spec, x[:1])
    fit(noisy, x, batch_size=100)
    assert report(noisy, x)["fraction"].item() == pytest.approx(0.3, abs=0.03)


def test_the_oracle_finds_the_truly_largest(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    """Judged on the exact z in the report, in the layers and in their soft masks."""
    noisy = inject(trained, make_spec(selection=Oracle(0.3)), digits[0][:1])
    fit(noisy, digits[0][:200])
    assert (report(noisy, digits[0][200:300])["recall"] == 1).all()
    layer = dict(noisy_layers(noisy))["conv2"]
    x = torch.rand(6, 8, 14, 14, generator=generator())
    z, z_tilde = layer.exact(x), layer.approximate(x)
    mask = TopK(0.3).mask(z, generator())
    assert not torch.equal(mask, TopK(0.3).mask(z_tilde, generator()))
    assert torch.equal(layer(x), torch.where(mask, z, z_tilde))
    layer.path, layer.temperature = "soft", 1e-7
    torch.testing.assert_close(layer(x), torch.where(mask, z, z_tilde), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "selection", [Block(0.25, 4, 4), Channel(0.25), NM(1, 4), TopK(0.25), Oracle(0.25)], ids=str
)
def test_fractions_hold_in_a_network(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], selection: Selection
) -> None:
    noisy = inject(trained, make_spec(selection=selection), digits[0][:1])
    fit(noisy, digits[0][:100])
    table = report(noisy, digits[0][:50])
    assert (table["fraction"] - selection.nominal()).abs().max() < 0.05
    assert (table["recall"] > 0.25).all()


def test_the_score_is_what_follows_the_layer() -> None:
    """relu(z) has as many ties as zeros: the count holds, and no zero comes before a positive."""
    z = F.relu(scores((4, 8, 6, 6), 0, ties=False))
    mask = TopK(0.7).mask(z, generator())
    assert (mask.flatten(1).sum(1) == round(0.7 * 288)).all()
    assert mask[z > 0].all()
