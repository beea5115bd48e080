"""A training that is stopped inside an epoch ends in the same bytes."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import weight_norm

import nenni.training.train
from nenni.adversary.attacks.fgsm import fgsm
from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError
from nenni.data.split import InMemory
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.selection.random import Random
from nenni.method.spec import InjectionSpec
from nenni.networks.models.resnet_cifar import resnet_cifar
from nenni.training.history import Trained
from nenni.training.objectives.fgsm_rs import FgsmRs
from nenni.training.objectives.standard import Standard
from nenni.training.objectives.trades import Trades
from nenni.training.recipe import Recipe
from nenni.training.state import sizes
from nenni.training.train import train


class Killed(Exception):
    """In place of a signal: nothing is caught or tidied up on its way out."""


@pytest.mark.long
def test_resumes_to_the_same_bytes(
    digits: tuple[Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    make_spec: Callable[..., InjectionSpec],
) -> None:  # fmt: skip
    """With everything that has a state: batch norm, momentum, an average, random masks and starts."""
    monkeypatch.setattr(nenni.training.train, "CHECKPOINT_SECONDS", 0.0)
    x, y = digits[0][:, :, ::2, ::2], digits[1]
    data = {"train": InMemory.of(x[:90], y[:90]), "val": InMemory.of(x[90:150], y[90:150])}
    recipe = Recipe(
        3, 20, 0.05, FgsmRs(), fgsm, 0.1, optimiser="sgd", shift=1, flip=True, average=0.8, awp=0.01,
        accumulate=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = resnet_cifar((1, 14, 14), 10, depth=8).eval()
    start = inject(plain, make_spec(selection=Random(0.5)), x[:2])
    fit(start, x[:50])

    def run(progress: Callable[[str], None]) -> tuple[nn.Module, Trained]:
        model = copy.deepcopy(start)
        found = train(
            model, data, recipe, (0, "test"), parameters=list(model.parameters()),
            checkpoint=Checkpoint(tmp_path / "state.pt"), progress=progress,
        )  # fmt: skip
        (tmp_path / "state.pt").unlink()
        return model, found

    whole, expected = run(lambda _: None)
    for at in ("epoch 1, step 1/5", "epoch 2, step 4/5", "epoch 2/3"):

        def kill(line: str, at: str = at) -> None:
            if line.startswith(at):
                raise Killed

        with pytest.raises(Killed):
            run(kill)
        lines: list[str] = []
        resumed, found = run(lines.append)
        assert lines[0].startswith("resumed after epoch")
        pd.testing.assert_frame_equal(found.history, expected.history, check_exact=True)
        assert found.best_epoch == expected.best_epoch
        for a, b in ((whole.state_dict(), resumed.state_dict()), (expected.best, found.best)):
            assert all(torch.equal(a[name], b[name]) for name in a)


@given(st.integers(1, 500), st.integers(1, 70))
def test_batches_are_those_of_torch_but_for_a_last_one_of_one_image(n: int, size: int) -> None:
    found, of_torch = sizes(n, size, 1), [len(part) for part in torch.arange(n).split(size)]
    if of_torch[-1] > 1 or len(of_torch) == 1 or size == 1:
        assert found == of_torch
    else:
        assert found == [*of_torch[:-2], size + 1]


@given(st.integers(1, 500), st.integers(1, 70), st.integers(1, 5))
def test_each_process_has_two_images_where_it_can(n: int, size: int, processes: int) -> None:
    found = sizes(n, size, processes)
    assert sum(found) == n
    assert len(found) == max(1, n // size) + (n > size and found[-1] < size)
    fewest = min(found) // processes
    assert fewest >= min(2, size // processes, n // processes)


def normed() -> nn.Module:
    """Batch norm over images alone, of features and of a map of one pixel."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 6, 4), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6, 6),
            nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("n", "choices"),
    [(21, {}), (21, {"awp": 0.01}), (25, {"accumulate": 4}), (23, {"accumulate": 3}), (5, {})],
)
def test_a_last_batch_of_one_image_is_no_error(
    n: int, choices: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And goes on where it was stopped, after any step."""
    monkeypatch.setattr(nenni.training.train, "CHECKPOINT_SECONDS", 0.0)
    draws = torch.Generator().manual_seed(0)
    images = InMemory.of(torch.rand(n, 1, 4, 4, generator=draws), torch.arange(n) % 3)
    recipe = Recipe(2, 10, 0.01, Standard(), **choices)

    def run(stop: int) -> tuple[nn.Module, Trained]:
        model, told = normed(), []

        def progress(line: str) -> None:
            told.append(line)
            if len(told) == stop:
                raise Killed

        found = train(
            model, {"train": images, "val": images}, recipe, (0, "test"), progress=progress,
            parameters=list(model.parameters()), checkpoint=Checkpoint(tmp_path / "state.pt"),
        )  # fmt: skip
        (tmp_path / "state.pt").unlink()
        return model, found

    whole, expected = run(0)
    for stop in range(1, 5):
        with pytest.raises(Killed):
            run(stop)
        again, found = run(0)
        assert found.history.equals(expected.history)
        assert all(map(torch.equal, again.state_dict().values(), whole.state_dict().values()))


@pytest.mark.parametrize("method", [Standard(), FgsmRs(), Trades(steps=1)])
def test_a_network_that_overwrites_its_images_learns_as_one_that_does_not(method: Any) -> None:
    class Centred(nn.Module):
        def __init__(self, inplace: bool) -> None:
            super().__init__()
            self.body, self.inplace = normed(), inplace

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x.sub_(0.5) if self.inplace else x - 0.5)  # type: ignore[no-any-return]

    draws = torch.Generator().manual_seed(0)
    pixels = torch.rand(20, 1, 4, 4, generator=draws)
    images, found = InMemory.of(pixels.clone(), torch.arange(20) % 3), []
    recipe = Recipe(2, 10, 0.01, method, fgsm, 0.1, awp=0.01, accumulate=2)
    for inplace in (True, False):
        model = Centred(inplace)
        train(
            model, {"train": images, "val": images}, recipe, (0, "test"),
            parameters=list(model.parameters()), checkpoint=Checkpoint(),
        )  # fmt: skip
        found.append(model.state_dict())
    assert all(map(torch.equal, found[0].values(), found[1].values()))
    assert torch.equal(images.pixels, pixels)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_what_modules_keep_beside_tensors_is_trained_along(average: float, tmp_path: Path) -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.seen = weight_norm(nn.Linear(16, 3)), {"passes": 0}

        def get_extra_state(self) -> dict[str, int]:
            return self.seen

        def set_extra_state(self, state: dict[str, int]) -> None:
            self.seen = state

        def forward(self, x: Tensor) -> Tensor:
            self.seen["passes"] += self.training
            return self.body(x.flatten(1))  # type: ignore[no-any-return]

    images = InMemory.of(torch.rand(20, 1, 4, 4), torch.arange(20) % 3)
    model = Counts()
    model.body(torch.rand(2, 16))
    found = train(
        model, {"train": images, "val": images}, Recipe(2, 10, 0.01, Standard(), average=average),
        (0, "test"), parameters=list(model.parameters()),
        checkpoint=Checkpoint(tmp_path / "state.pt"),
    )  # fmt: skip
    model.load_state_dict(found.best)
    assert Checkpoint(tmp_path / "state.pt").load()["model"]["_extra_state"] == {"passes": 4}


def test_an_error_of_the_network_is_told_in_a_line() -> None:
    images = InMemory.of(torch.rand(20, 1, 4, 4), torch.arange(20) % 3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(15, 3))
    with pytest.raises(UserError, match=r"does not accept images, .*: RuntimeError: mat1 and mat2"):
        train(
            model, {"train": images, "val": images}, Recipe(1, 10, 0.01, Standard()), (0, "test"),
            parameters=list(model.parameters()), checkpoint=Checkpoint(),
        )  # fmt: skip
