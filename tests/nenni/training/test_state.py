"""A training that is stopped inside an epoch ends in the same bytes."""

import copy
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import nenni.training.train
from nenni.adversary.attacks.fgsm import fgsm
from nenni.core.checkpoint import Checkpoint
from nenni.data.split import InMemory
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.selection.random import Random
from nenni.method.spec import InjectionSpec
from nenni.networks.models.resnet_cifar import resnet_cifar
from nenni.training.history import Trained
from nenni.training.objectives.fgsm_rs import FgsmRs
from nenni.training.recipe import Recipe
from nenni.training.train import train


class Killed(Exception):
    """In place of a signal: nothing is caught or tidied up on its way out."""


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
