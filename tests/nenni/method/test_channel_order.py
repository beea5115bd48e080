"""Tiles of an ordered network hold more of what is essential, and the network is the same."""

import copy
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.method.channel_order import clustered, ordered_for

Digits = tuple[Tensor, Tensor]
TILES = nenni.Block(0.25, channels=4, positions=4)


def within(together: np.ndarray, order: np.ndarray, size: int) -> float:
    """Sum of the products within tiles."""
    tiles = [order[i : i + size] for i in range(0, len(order), size)]
    return float(sum(together[np.ix_(tile, tile)].sum() for tile in tiles))


def test_planted_tiles_are_found() -> None:
    rng = np.random.default_rng(0)
    active = rng.random((4, 200)) < 0.25
    tile = rng.permutation(np.repeat(np.arange(4), 8))
    a = (active[tile] ^ (rng.random((32, 200)) < 0.02)).astype(float)
    order = clustered(a @ a.T, 8)
    assert all(len(set(tile[order[i : i + 8]])) == 1 for i in range(0, 32, 8))


@given(st.integers(2, 20), st.integers(1, 8), st.integers(0, 10**6))
def test_no_swap_of_two_channels_is_better(channels: int, size: int, seed: int) -> None:
    a = np.random.default_rng(seed).integers(0, 5, (channels, 6)).astype(float)
    together = a @ a.T
    order = clustered(together, size)
    assert sorted(order) == list(range(channels))
    best = within(together, order, size)
    often = np.argsort(-np.diag(together), kind="stable")
    assert best >= within(together, often, size) - 1e-6
    for i in range(channels):
        for j in range(i):
            other = order.copy()
            other[[i, j]] = other[[j, i]]
            assert within(together, other, size) <= best + 1e-6 * (1 + best)


@pytest.fixture(scope="module")
def ordered(trained: nn.Module, digits: Digits) -> nn.Module:
    before = copy.deepcopy(trained.state_dict())
    found = nenni.order_channels(trained, digits[0][:200], TILES)
    assert all(torch.equal(before[name], value) for name, value in trained.state_dict().items())
    return found


def test_the_network_is_the_same(
    trained: nn.Module, ordered: nn.Module, digits: Digits, tmp_path: Path
) -> None:
    x = digits[0][800:]
    with torch.no_grad():
        expected, logits = trained(x), ordered(x)
    assert torch.allclose(expected, logits, atol=1e-4)
    convolutions = [n for n, m in trained.named_modules() if isinstance(m, nn.Conv2d)]
    moved = [
        name
        for name in convolutions
        if not torch.equal(trained.get_submodule(name).weight, ordered.get_submodule(name).weight)
    ]
    assert moved == convolutions
    again = nenni.order_channels(trained, digits[0][:200], TILES)
    pairs = zip(again.parameters(), ordered.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_tiles_hold_more_of_the_largest_neurons(
    trained: nn.Module, ordered: nn.Module, digits: Digits
) -> None:
    recall = []
    for model in (trained, ordered):
        spec = nenni.InjectionSpec(TILES, nenni.TapShared(1 / 2))
        noisy = nenni.inject(model, spec, digits[0][:1])
        nenni.fit(noisy, digits[0][:200])
        recall.append(nenni.report(noisy, digits[0][800:])["recall"].mean())
    assert recall[1] > recall[0] + 0.03


def test_an_injected_network_is_refused(trained: nn.Module, digits: Digits) -> None:
    spec = nenni.InjectionSpec(TILES, nenni.TapShared(1 / 2))
    noisy = nenni.inject(trained, spec, digits[0][:1])
    with pytest.raises(UserError, match=r"order its channels first"):
        nenni.order_channels(noisy, digits[0][:10], TILES)


def test_a_group_that_would_change_the_answers_stays(digits: Digits) -> None:
    """Two weights in one memory would be turned twice, and nothing else tells."""
    torch.manual_seed(0)
    one, other = nn.Conv2d(1, 8, 3), nn.Conv2d(1, 8, 3)
    other.weight = nn.Parameter(one.weight.data)

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other, self.last = one, other, nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.last((self.one(x) + self.other(x)).relu().mean((2, 3)))
            return logits

    model = Tied().eval()
    found = nenni.order_channels(model, digits[0][:50], TILES)
    x = digits[0][50:60]
    with torch.no_grad():
        assert torch.allclose(model(x), found(x), atol=1e-5)


@pytest.mark.parametrize("normalise", [True, False])
def test_scores_are_those_of_the_injection_where_no_norm_follows(normalise: bool) -> None:
    """Raw scores put channels with large biases together, standardised ones do not."""
    torch.manual_seed(0)
    first = nn.Conv2d(1, 16, 3, padding=1)
    bias = torch.linspace(-3, 3, 16)[torch.randperm(16)]
    with torch.no_grad():
        assert first.bias is not None
        first.bias.copy_(bias)
    model = nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.Linear(16 * 16, 3)).eval()
    images = torch.rand(60, 1, 4, 4)
    found = nenni.order_channels(model, images, TILES, normalise=normalise)
    moved = found[0].bias.detach().view(4, 4)  # type: ignore[index,union-attr]
    tile = moved[(moved == bias.max()).any(1)][0]
    raw = torch.equal(tile.sort().values, bias.sort().values[-4:])
    assert raw is not normalise


def test_mistakes_are_told(trained: nn.Module, digits: Digits) -> None:
    images = digits[0][:20]
    with pytest.raises(UserError, match=r"selection should be a nenni.Block"):
        nenni.order_channels(trained, images, nenni.TopK(0.5))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"does not accept images"):
        nenni.order_channels(trained, images.expand(-1, 3, -1, -1), TILES)
    with pytest.raises(UserError, match=r"should return logits"):
        nenni.order_channels(trained[:2], images, TILES)  # type: ignore[index]
    with pytest.raises(UserError, match=r"needed several times"):
        nenni.order_channels(trained, iter([images]), TILES)


def test_a_network_that_gives_labels_is_ordered(trained: nn.Module, digits: Digits) -> None:
    class Labels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = trained

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x).argmax(1)  # type: ignore[no-any-return]

    model, x = Labels().eval(), digits[0][800:]
    found = nenni.order_channels(model, digits[0][:100], TILES)
    with torch.no_grad():
        assert torch.equal(model(x), found(x))
    weights = [m.get_submodule("network").state_dict() for m in (model, found)]
    assert any(not torch.equal(a, b) for a, b in zip(*(w.values() for w in weights), strict=True))


def test_a_network_that_cannot_be_ordered_says_so(digits: Digits) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 3)).train()
    with pytest.warns(UserWarning, match="no channel can change places"):
        found = nenni.order_channels(model, digits[0][:20], TILES)
    assert found.training
    assert all(not module._forward_hooks for module in found.modules())


@pytest.mark.parametrize("score", ["signed", "magnitude"])
def test_an_order_is_by_the_choices_of_an_injection(
    trained: nn.Module, digits: Digits, score: Literal["signed", "magnitude"]
) -> None:
    images = digits[0][:40]
    fewer_bits = {"*4": {"weight_bits": 8}}
    spec = nenni.InjectionSpec(TILES, nenni.TapShared(0.25), score=score, overrides=fewer_bits)
    found = ordered_for(trained, images, spec)
    asked = nenni.order_channels(trained, images, TILES, score=score)
    assert torch.equal(found.conv2.weight, asked.conv2.weight)
    assert not torch.equal(found.conv2.weight, trained.conv2.weight)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (nenni.InjectionSpec(nenni.TopK(0.5), nenni.TapShared(0.25)), "for tiles, which TopK"),
        (
            nenni.InjectionSpec(TILES, nenni.TapShared(0.25), overrides={"fc*": {"score": "magnitude"}}),
            r"overrides.fc\*.score: cannot differ between layers",
        ),
        (
            nenni.InjectionSpec(TILES, nenni.TapShared(0.25), overrides={"*4": {"selection": nenni.TopK(0.5)}}),
            r"overrides.\*4.selection: cannot differ between layers",
        ),
    ],
)  # fmt: skip
def test_an_order_for_several_kinds_of_tile_is_refused(
    trained: nn.Module, digits: Digits, spec: nenni.InjectionSpec, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ordered_for(trained, digits[0][:8], spec)
