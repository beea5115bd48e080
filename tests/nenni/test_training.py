import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nenni.attacks.fgsm import fgsm
from nenni.checkpoint import Checkpoint
from nenni.errors import UserError
from nenni.models.small_cnn import small_cnn
from nenni.training import Recipe, random_shift, train

PURPOSE = (0, "test")


def fresh() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32)


@pytest.fixture
def data(digits: tuple[Tensor, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    x, y = digits
    return {"train": (x[:400], y[:400]), "val": (x[400:600], y[400:600])}


def run(data: dict[str, Any], recipe: Recipe, file: Path | None = None, **kwargs: Any) -> Any:
    model = fresh()
    history, _ = train(
        model, data, recipe, kwargs.pop("attack", None), PURPOSE,
        parameters=list(model.parameters()), checkpoint=Checkpoint(file), **kwargs,
    )  # fmt: skip
    return model, history


def test_learns_real_digits(data: dict[str, Any]) -> None:
    _, history = run(data, Recipe(epochs=12, batch_size=10, lr=5e-3, shift=1))
    assert history["val_clean"].iloc[-1] > 0.85
    assert "val_robust" not in history


def test_adversarial_training_raises_robust_accuracy(data: dict[str, Any]) -> None:
    recipe = {"epochs": 10, "batch_size": 20, "lr": 4e-3}
    model, _ = run(data, Recipe(**recipe))
    x, y = data["val"]
    plain = float((model(fgsm(model, x, y, 0.08, torch.Generator())).argmax(1) == y).float().mean())
    _, history = run(data, Recipe(**recipe, eps=0.08, eps_ramp=0.5), attack=fgsm)
    assert history["val_robust"].iloc[-1] > plain + 0.1


def test_killed_training_resumes_to_the_same_bytes(data: dict[str, Any], tmp_path: Path) -> None:
    recipe = Recipe(epochs=3, batch_size=50, lr=1e-3, shift=1, eps=0.1)
    whole, expected = run(data, recipe, attack=fgsm)

    class Killed(Exception):
        pass

    def kill(line: str) -> None:
        if line.startswith("epoch 2/3"):
            raise Killed

    with pytest.raises(Killed):
        run(data, recipe, tmp_path / "state.pt", attack=fgsm, progress=kill)
    lines: list[str] = []
    resumed, history = run(data, recipe, tmp_path / "state.pt", attack=fgsm, progress=lines.append)
    assert lines[0] == "resumed after epoch 2/3"
    assert len(lines) == 2
    assert history.equals(expected)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_damaged_checkpoint_counts_as_none(data: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    file.write_bytes(b"not a checkpoint")
    recipe = Recipe(epochs=1, batch_size=100, lr=1e-3)
    assert torch.equal(
        run(data, recipe, file)[0](data["val"][0]), run(data, recipe)[0](data["val"][0])
    )


def test_diverging_loss_is_an_error_that_keeps_the_state(
    data: dict[str, Any], tmp_path: Path
) -> None:
    bad = copy.deepcopy(data)
    bad["train"][0][7] = torch.nan
    with pytest.raises(UserError, match="not finite in epoch 1 of 2"):
        run(bad, Recipe(epochs=2, batch_size=50, lr=1e-3), tmp_path / "state.pt")
    assert not (tmp_path / "state.pt").exists()


def test_only_the_given_parameters_are_trained(data: dict[str, Any]) -> None:
    model = fresh()
    before = copy.deepcopy(model.state_dict())
    train(model, data, Recipe(1, 100, 1e-2), None, PURPOSE,
          parameters=list(model.get_submodule("fc2").parameters()), checkpoint=Checkpoint())  # fmt: skip
    changed = {k for k, v in model.state_dict().items() if not torch.equal(before[k], v)}
    assert changed == {"fc2.weight", "fc2.bias"}


def test_schedules() -> None:
    recipe = Recipe(1, 1, 1.0, warmup=0.5, eps=0.3, eps_ramp=0.5)
    rates = [recipe.rate(step, 10) for step in range(11)]
    assert rates[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    assert rates[5] == 1
    assert rates[10] == pytest.approx(0)
    assert [recipe.radius(step, 10) for step in (0, 2, 5, 9)] == pytest.approx([0, 0.12, 0.3, 0.3])
    assert Recipe(1, 1, 1.0, eps=0.3).radius(0, 10) == 0.3


def test_shift_moves_each_image_by_whole_pixels() -> None:
    image = torch.zeros(50, 1, 9, 9)
    image[:, :, 4, 4] = 1
    moved = random_shift(image, 2, torch.Generator().manual_seed(0))
    assert (moved.sum((1, 2, 3)) == 1).all()
    places = {tuple(p) for p in moved.nonzero()[:, 2:].tolist()}
    assert len(places) > 15
    assert all(2 <= r <= 6 and 2 <= c <= 6 for r, c in places)
    assert torch.equal(random_shift(image, 0, torch.Generator()), image)
