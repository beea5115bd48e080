import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nenni.training.train
from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError
from nenni.data.split import Images, InMemory, first
from nenni.networks.models.small_cnn import small_cnn
from nenni.training.augmentation import shifted
from nenni.training.recipe import Recipe
from nenni.training.schedules.cosine import cosine
from nenni.training.schedules.one_cycle import one_cycle
from nenni.training.schedules.piecewise import piecewise
from nenni.training.train import as_given, train

PURPOSE = (0, "test")


def fresh() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32)


@pytest.fixture
def data(digits: tuple[Tensor, Tensor]) -> dict[str, Images]:
    x, y = digits
    return {"train": InMemory.of(x[:400], y[:400]), "val": InMemory.of(x[400:600], y[400:600])}


def run(data: dict[str, Any], recipe: Recipe, file: Path | None = None, **kwargs: Any) -> Any:
    model = fresh()
    found = train(
        model, data, recipe, PURPOSE, parameters=list(model.parameters()),
        checkpoint=Checkpoint(file), **kwargs,
    )  # fmt: skip
    return model, found.history


def test_learns_real_digits(data: dict[str, Any]) -> None:
    _, history = run(data, Recipe(epochs=12, batch_size=10, lr=5e-3, shift=1))
    assert history["val_clean"].iloc[-1] > 0.85
    assert "val_robust" not in history


def test_damaged_checkpoint_counts_as_none(data: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    file.write_bytes(b"not a checkpoint")
    recipe = Recipe(epochs=1, batch_size=100, lr=1e-3)
    x, _ = first(data["val"], 20)
    assert torch.equal(run(data, recipe, file)[0](x), run(data, recipe)[0](x))


@pytest.mark.parametrize("every", [60.0, 0.0])
def test_diverging_loss_is_an_error_that_keeps_the_state(
    every: float, data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nenni.training.train, "CHECKPOINT_SECONDS", every)
    x, y = first(data["train"], 400)
    x[7] = torch.nan
    bad = data | {"train": InMemory.of(x, y)}
    with pytest.raises(UserError, match="not finite in epoch 1 of 2"):
        run(bad, Recipe(epochs=2, batch_size=50, lr=1e-3), tmp_path / "state.pt")
    state = Checkpoint(tmp_path / "state.pt").load()
    assert (state is None) == (every > 0)
    assert state is None or all(t.isfinite().all() for t in state["model"].values())


def test_only_the_given_parameters_are_trained(data: dict[str, Any]) -> None:
    model = fresh()
    before = copy.deepcopy(model.state_dict())
    train(model, data, Recipe(1, 100, 1e-2), PURPOSE,
          parameters=list(model.get_submodule("fc2").parameters()), checkpoint=Checkpoint())  # fmt: skip
    changed = {k for k, v in model.state_dict().items() if not torch.equal(before[k], v)}
    assert changed == {"fc2.weight", "fc2.bias"}


def test_schedules() -> None:
    rates = [cosine(step, 10, warmup=0.5) for step in range(11)]
    assert rates[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    assert rates[5] == 1
    assert rates[10] == pytest.approx(0)
    assert [one_cycle(step, 10, peak=0.4) for step in (0, 3, 4, 7, 10)] == [0.2, 0.8, 1, 0.5, 0]
    assert [piecewise(step, 200) for step in (99, 100, 150)] == pytest.approx([1, 0.1, 0.01])


def test_eps_rises() -> None:
    recipe = Recipe(1, 1, 1.0, eps=0.3, eps_ramp=0.5)
    assert [recipe.radius(step, 10) for step in (0, 2, 5, 9)] == pytest.approx([0, 0.12, 0.3, 0.3])
    assert Recipe(1, 1, 1.0, eps=0.3).radius(0, 10) == 0.3


def test_a_network_as_given_is_only_validated(data: dict[str, Any], trained: nn.Module) -> None:
    found = as_given(trained, data["val"])
    x, y = first(data["val"], 200)
    right = float((trained(x).argmax(1) == y).double().mean())
    assert found.history.to_dict("records") == [{"epoch": 0, "val_clean": pytest.approx(right)}]
    assert found.summary.endswith("after 0 epochs")


def test_accumulated_parts_are_the_whole_batch(data: dict[str, Any]) -> None:
    whole, _ = run(data, Recipe(1, 80, 1e-3))
    parts, _ = run(data, Recipe(1, 80, 1e-3, accumulate=3))
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4)


def test_flips_mirror_about_half_of_the_images() -> None:
    images = torch.rand(200, 1, 3, 4)
    found = Recipe(1, 1, 1.0, flip=True).augment(images, 200, torch.Generator().manual_seed(0))
    same = (found == images).flatten(1).all(1)
    assert torch.equal(found[~same], images[~same].flip(3))
    assert 70 < int(same.sum()) < 130


def test_shift_moves_each_image_by_whole_pixels() -> None:
    image = torch.zeros(50, 1, 9, 9)
    image[:, :, 4, 4] = 1
    moved = Recipe(1, 1, 1.0, shift=2).augment(image, 50, torch.Generator().manual_seed(0))
    assert (moved.sum((1, 2, 3)) == 1).all()
    places = {tuple(p) for p in moved.nonzero()[:, 2:].tolist()}
    assert len(places) > 15
    assert all(2 <= r <= 6 and 2 <= c <= 6 for r, c in places)
    assert torch.equal(Recipe(1, 1, 1.0).augment(image, 50, torch.Generator()), image)


def test_shift_is_by_rows_down_and_columns_right() -> None:
    image = torch.zeros(2, 1, 5, 5)
    image[:, :, 2, 2] = 1
    moved = shifted(image, torch.tensor([[1, 0], [-2, 0]]))
    assert moved.nonzero()[:, 2:].tolist() == [[3, 0], [2, 2]]
