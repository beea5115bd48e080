"""Soft masks that become hard in the course of a training."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
import torch
from noisy_cases import network
from torch import Tensor, nn

from nenni.core.checkpoint import Checkpoint
from nenni.data.split import Images, InMemory, first
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers, on_path
from nenni.method.projection.tap_shared import TapShared
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.models.small_cnn import small_cnn
from nenni.training.objectives.standard import Standard
from nenni.training.recipe import Recipe
from nenni.training.soft_masks import HARD_FROM, softened, temperature
from nenni.training.train import train

EPOCHS, BATCHES = 4, 2


def test_the_width_falls_linearly_and_ends_hard() -> None:
    widths = [temperature(2.0, step, 80) for step in range(80)]
    assert widths[0] == 2.0
    assert widths[30] == pytest.approx(1.0)
    assert all(b < a for a, b in pairwise(widths[:61]))
    assert widths[int(HARD_FROM * 80) :] == [0.0] * 20
    assert temperature(0.0, 0, 80) == 0.0


@pytest.mark.parametrize("before", ["injected", "exact"])
def test_layers_are_soft_within_and_as_before_afterwards(before: str) -> None:
    model = network("topk", "injected")
    with on_path(model, before):  # type: ignore[arg-type]
        with softened(model, 0.5):
            assert {(m.path, m.temperature) for _, m in noisy_layers(model)} == {("soft", 0.5)}
        assert {m.path for _, m in noisy_layers(model)} == {before}
        with softened(model, 0.0):
            assert {m.path for _, m in noisy_layers(model)} == {before}


@pytest.fixture
def data(digits: tuple[Tensor, Tensor]) -> dict[str, Images]:
    x, y = digits
    return {"train": InMemory.of(x[:40], y[:40]), "val": InMemory.of(x[40:60], y[40:60])}


@pytest.fixture
def noisy(data: dict[str, Images]) -> nn.Module:
    torch.manual_seed(1)
    base = small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32).eval()
    images, _ = first(data["train"], 40)
    model = inject(base, InjectionSpec(TopK(0.5), TapShared(1 / 4)), images[:1])
    fit(model, images)
    return model


@contextmanager
def watched(model: nn.Module) -> Iterator[list[tuple[bool, str, float]]]:
    """Whether a pass of the first injected layer is of training, and by which path."""
    seen: list[tuple[bool, str, float]] = []
    _, layer = next(noisy_layers(model))
    handle = layer.register_forward_pre_hook(
        lambda m, _: seen.append((m.training, m.path, m.temperature))
    )
    yield seen
    handle.remove()


def trained(model: nn.Module, data: dict[str, Images], width: float | None) -> nn.Module:
    model = copy.deepcopy(model)
    recipe = Recipe(epochs=EPOCHS, batch_size=40 // BATCHES, lr=1e-3, method=Standard())
    given = {} if width is None else {"mask_temperature": width}
    train(
        model, data, recipe, (0, "test"), parameters=list(model.parameters()),
        checkpoint=Checkpoint(), **given,  # type: ignore[arg-type]
    )  # fmt: skip
    return model


def test_training_narrows_masks_and_validates_hard_ones(
    noisy: nn.Module, data: dict[str, Images], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "deepcopy", lambda model: model)
    with watched(noisy) as seen:
        trained(noisy, data, 1.0)
    steps = EPOCHS * BATCHES
    in_training = [(path, width) for training, path, width in seen if training]
    soft = [("soft", temperature(1.0, step, steps)) for step in range(6)]
    assert in_training[:6] == soft
    assert [path for path, _ in in_training[6:]] == ["injected"] * 2
    assert {path for training, path, _ in seen if not training} == {"injected"}
    assert {layer.path for _, layer in noisy_layers(noisy)} == {"injected"}


def test_another_width_is_another_training_and_none_is_the_same(
    noisy: nn.Module, data: dict[str, Images]
) -> None:
    x, _ = first(data["val"], 20)
    plain, none, soft = (trained(noisy, data, width)(x) for width in (None, 0.0, 1.0))
    assert torch.equal(plain, none)
    assert not torch.allclose(plain, soft)


def test_a_network_without_masks_is_trained_as_without(data: dict[str, Images]) -> None:
    torch.manual_seed(1)
    base = small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32)
    x, _ = first(data["val"], 20)
    assert torch.equal(trained(base, data, None)(x), trained(base, data, 1.0)(x))
