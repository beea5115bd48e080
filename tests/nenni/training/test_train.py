import copy
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nenni.training.train
from nenni.adversary.attack_choice import AttackChoice
from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError
from nenni.data.split import Images, InMemory, first
from nenni.method.fit import fit
from nenni.method.injection import noisy_layers
from nenni.networks.compiled import what_lacks
from nenni.networks.models.small_cnn import small_cnn
from nenni.training.objectives.adversarial import Adversarial
from nenni.training.objectives.standard import Standard
from nenni.training.recipe import Recipe
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
    _, history = run(data, Recipe(epochs=12, batch_size=10, lr=5e-3, method=Standard(), shift=1))
    assert history["val_clean"].iloc[-1] > 0.85
    assert "val_robust" not in history


def test_an_epoch_takes_the_time_that_it_computes(
    data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the time in which the processor does something else."""
    inner = nenni.training.train.run_epoch

    def waiting(*args: Any) -> Any:
        time.sleep(3)
        return inner(*args)

    monkeypatch.setattr(nenni.training.train, "run_epoch", waiting)
    model = fresh()
    found = train(
        model, data, Recipe(1, 100, 1e-2, Standard()), PURPOSE,
        parameters=list(model.parameters()), checkpoint=Checkpoint(None),
    )  # fmt: skip
    assert 0 < found.seconds[0] < 3


def test_damaged_checkpoint_counts_as_none(data: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    file.write_bytes(b"not a checkpoint")
    recipe = Recipe(epochs=1, batch_size=100, lr=1e-3, method=Standard())
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
        run(bad, Recipe(epochs=2, batch_size=50, lr=1e-3, method=Standard()), tmp_path / "state.pt")
    state = Checkpoint(tmp_path / "state.pt").load()
    assert (state is None) == (every > 0)
    assert state is None or all(t.isfinite().all() for t in state["model"].values())


def test_only_the_given_parameters_are_trained(data: dict[str, Any]) -> None:
    model = fresh()
    before = copy.deepcopy(model.state_dict())
    train(model, data, Recipe(1, 100, 1e-2, Standard()), PURPOSE,
          parameters=list(model.get_submodule("fc2").parameters()), checkpoint=Checkpoint())  # fmt: skip
    changed = {k for k, v in model.state_dict().items() if not torch.equal(before[k], v)}
    assert changed == {"fc2.weight", "fc2.bias"}


def test_a_network_as_given_is_only_validated(data: dict[str, Any], trained: nn.Module) -> None:
    found = as_given(trained, data["val"])
    x, y = first(data["val"], 200)
    right = float((trained(x).argmax(1) == y).double().mean())
    assert found.history.to_dict("records") == [{"epoch": 0, "val_clean": pytest.approx(right)}]
    assert found.summary.endswith("after 0 epochs")


def test_accumulated_parts_are_the_whole_batch(data: dict[str, Any]) -> None:
    whole, _ = run(data, Recipe(1, 80, 1e-3, Standard()))
    parts, _ = run(data, Recipe(1, 80, 1e-3, Standard(), accumulate=3))
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_compiled_training_gives_the_same_within_rounding(data: dict[str, Any]) -> None:
    if lacks := what_lacks("cpu"):
        pytest.skip(f"nothing compiles here: {lacks}")
    plain, compiled = (
        run(data, Recipe(epochs=2, batch_size=100, lr=1e-3, method=Standard(), compile=on))
        for on in (False, True)
    )
    x, _ = first(data["val"], 20)
    torch.testing.assert_close(compiled[0](x), plain[0](x), atol=1e-3, rtol=1e-2)
    assert compiled[0]._compiled_call_impl is None


def test_an_attack_through_a_surrogate_trains_an_injected_network(
    data: dict[str, Any], noisy: nn.Module
) -> None:
    """Other images than the attack itself makes, and the paths are as before."""
    fit(noisy, first(data["train"], 200)[0])
    pgd = {"name": "pgd", "steps": 3, "norm": "linf"}
    weights = []
    for surrogate in (None, {"name": "soft_mask"}, {"name": "bpda"}):
        model = copy.deepcopy(noisy)
        attack = AttackChoice.from_config(pgd | {"surrogate": surrogate})
        recipe = Recipe(
            epochs=1, batch_size=50, lr=1e-3, method=Adversarial(), attack=attack, eps=0.1
        )
        train(
            model, data, recipe, PURPOSE, parameters=list(model.parameters()),
            checkpoint=Checkpoint(None),
        )  # fmt: skip
        assert all(layer.path == "injected" for _, layer in noisy_layers(model))
        weights.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
