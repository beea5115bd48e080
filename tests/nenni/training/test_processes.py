"""Two processes that share each batch give what one gives."""

import json
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import nenni.run.config
import nenni.training.processes
from nenni.adversary.attacks.pgd import pgd
from nenni.core import settings
from nenni.core.checkpoint import Checkpoint
from nenni.core.declarations import file_of, read
from nenni.core.errors import UserError
from nenni.core.io import read_tensors
from nenni.data.data_file import decode, save_data
from nenni.data.split import InMemory
from nenni.method.injection import inject
from nenni.method.projection.tap_shared import TapShared
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.models.small_cnn import small_cnn
from nenni.training.objectives.adversarial import Adversarial
from nenni.training.objectives.standard import Standard
from nenni.training.processes import agree, joined, own_draws, share
from nenni.training.recipe import Recipe
from nenni.training.train import train

TOLERANCE = 1e-4
"""Largest difference of a weight after two epochs: sums over two halves round otherwise."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    tensors, meta, _ = decode({"name": "mnist5k"}, {"train": 404, "val": 100, "test": 10}, 0)
    save_data(tmp_path / "data.safetensors", tensors, meta)
    return tmp_path / "data.safetensors"


def pretrain(
    folder: Path, data: Path, processes: int, **recipe: Any
) -> subprocess.CompletedProcess[str]:
    given = {"method": {"name": "standard"}, "epochs": 2, "batch_size": 100, "lr": 0.002, **recipe}
    model = settings.model_of(read(file_of("nenni.training.recipe"), "Recipe"))
    config = {
        "threads": 1, "device": "cpu", "processes": processes, "seed": 0, "weights": None,
        "model": {"name": "small_cnn", "channels": [8, 8, 16, 16], "hidden": 32},
        "recipe": settings.checked(model, given),
    }  # fmt: skip
    names = (
        "weights.safetensors",
        "best.safetensors",
        "initial.safetensors",
        "history.csv",
        "timing.json",
    )
    words = [f"{name.partition('.')[0]}={folder / name}" for name in names]
    words = ["--config", json.dumps(config), "--input", f"data={data}", "--output", *words]
    return subprocess.run(
        [sys.executable, "-m", "nenni", "stage", "pretrain", *words], cwd=folder, text=True, check=False,
        capture_output=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip


@pytest.mark.long
def test_same_result_as_one_process(data: Path, tmp_path: Path) -> None:
    """404 images in batches of 100: the last one has 4, two for each process."""
    found = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        done = pretrain(folder, data, processes, average=0.9, shift=2, flip=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("pretrain: validation clean") == 1
        assert done.stderr.count("epoch 2/2") == 1
        found[processes] = (
            read_tensors(folder / "weights.safetensors")[0], pd.read_csv(folder / "history.csv")
        )  # fmt: skip
        assert not list(folder.glob(".nenni/checkpoints/*"))
    (one, history), (two, other) = found[1], found[2]
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=TOLERANCE)
    pd.testing.assert_frame_equal(other, history, rtol=1e-3)


def test_a_batch_is_shared_without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nenni.training.processes, "processes", lambda: 3)
    parts = []
    for number in range(3):
        monkeypatch.setattr(nenni.training.processes, "rank", lambda number=number: number)
        parts.append(share(torch.arange(5)))
        with pytest.raises(UserError, match="3 processes share a batch of 2 images; use fewer"):
            share(torch.arange(2))
    assert [part.tolist() for part in parts] == [[0, 3], [1, 4], [2]]


def test_each_process_has_its_own_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nenni.training.processes, "processes", lambda: 2)
    drawn, left = [], []
    for number in range(2):
        monkeypatch.setattr(nenni.training.processes, "rank", lambda number=number: number)
        shared = torch.Generator().manual_seed(0)
        drawn.append(torch.rand(1000, generator=own_draws(shared)))
        left.append(shared.get_state())
    assert abs(float(torch.corrcoef(torch.stack(drawn))[0, 1])) < 0.1
    assert torch.equal(*left)


def test_only_batch_statistics_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of three equal numbers need not be that number, and masks hang on the last bit."""
    monkeypatch.setattr(nenni.training.processes, "processes", lambda: 3)
    monkeypatch.setattr(nenni.training.processes, "mean_over_processes", torch.zeros_like)
    model = nn.Sequential(nn.BatchNorm2d(2))
    model.register_buffer("projection", torch.ones(2))
    agree(model)
    assert model[0].running_var.tolist() == [0, 0]
    assert model.projection.tolist() == [1, 1]


def train_both(number: int, processes: int, folder: Path) -> None:
    """In one of several processes: a network with AWP, and an injected one in parts."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": f"{number}", "LOCAL_RANK": f"{number}", "WORLD_SIZE": f"{processes}"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": (folder / "port").read_text()}
    digits = load_file(folder / "digits.safetensors")
    images = InMemory.of(digits["x"], digits["y"])
    spec = InjectionSpec(selection=TopK(0.5), projection=TapShared(0.25), normalise=False)
    attack = partial(pgd, steps=2, random_start=False)
    with joined(torch.device("cpu")):
        for name, chosen in [("plain", {"awp": 0.01}), ("injected", {"accumulate": 3})]:
            torch.manual_seed(0)
            model = small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32)
            model = inject(model, spec, digits["x"][:1]) if name == "injected" else model
            recipe = Recipe(
                2, 50, 0.05, Adversarial(), attack, 0.1, shift=1, optimiser="sgd", **chosen
            )
            train(
                model, {"train": images, "val": images}, recipe, (0, "test"),
                parameters=list(model.parameters()), checkpoint=Checkpoint(),
            )  # fmt: skip
            if number == 0:
                save_file(model.state_dict(), folder / f"{name}{processes}.safetensors")


def train_normed(number: int, processes: int, folder: Path) -> None:
    """In one of several processes: 23 images in batches of 10, with batch norm over images."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": f"{number}", "LOCAL_RANK": f"{number}", "WORLD_SIZE": f"{processes}"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": (folder / "port").read_text()}
    draws = torch.Generator().manual_seed(0)
    images = InMemory.of(torch.rand(23, 1, 4, 4, generator=draws), torch.arange(23) % 3)
    with joined(torch.device("cpu")):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 3))
        train(
            model, {"train": images, "val": images}, Recipe(2, 10, 0.05, Standard()), (0, "test"),
            parameters=list(model.parameters()), checkpoint=Checkpoint(),
        )  # fmt: skip
        save_file(model.state_dict(), folder / f"{number}.safetensors")


@pytest.mark.slow
def test_no_process_has_one_image_alone(tmp_path: Path) -> None:
    """Of three images in the last batch one process would have one, of which no variance is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (tmp_path / "port").write_text(str(free.getsockname()[1]))
    torch.multiprocessing.spawn(train_normed, (2, tmp_path), 2)
    one, two = (load_file(tmp_path / f"{number}.safetensors") for number in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert int(one["1.num_batches_tracked"]) == 4


@pytest.mark.slow
def test_attacks_perturbed_weights_and_injection_on_two_processes(
    digits: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    x, y = digits
    save_file({"x": x[:204].clone(), "y": y[:204].clone()}, tmp_path / "digits.safetensors")
    for processes in (1, 2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            (tmp_path / "port").write_text(str(free.getsockname()[1]))
        torch.multiprocessing.spawn(train_both, (processes, tmp_path), processes)
    for name in ("plain", "injected"):
        one, two = (load_file(tmp_path / f"{name}{n}.safetensors") for n in (1, 2))
        for key, tensor in one.items():
            torch.testing.assert_close(two[key], tensor, rtol=0, atol=TOLERANCE)


@pytest.mark.slow
def test_more_processes_than_images_is_one_message(data: Path, tmp_path: Path) -> None:
    done = pretrain(tmp_path, data, 3, batch_size=2)
    assert done.returncode == 2
    assert "3 processes share a batch of 2 images; use fewer processes" in done.stderr
    assert "Traceback" not in done.stderr


def test_alone_a_process_has_the_whole_batch() -> None:
    assert torch.equal(share(torch.arange(5)), torch.arange(5))
