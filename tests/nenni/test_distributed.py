"""Two processes that share each batch give what one gives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import nenni.distributed
from nenni.config import Recipe
from nenni.dataset import decode, save_data
from nenni.distributed import share
from nenni.errors import UserError
from nenni.io import read_tensors

TOLERANCE = 1e-4
"""Largest difference of a weight after two epochs: sums over two halves round otherwise."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    tensors, meta = decode({"name": "mnist5k"}, {"train": 402, "val": 100, "test": 10}, 0)
    save_data(tmp_path / "data.safetensors", tensors, meta)
    return tmp_path / "data.safetensors"


def pretrain(
    folder: Path, data: Path, processes: int, **recipe: Any
) -> subprocess.CompletedProcess[str]:
    settings = Recipe(epochs=2, batch_size=100, lr=0.002, **recipe).model_dump() | {"attack": None}
    config = {
        "threads": 1, "device": "cpu", "processes": processes, "seed": 0, "weights": None,
        "model": {"name": "small_cnn", "channels": [8, 8, 16, 16], "hidden": 32}, "recipe": settings,
    }  # fmt: skip
    names = ("weights.safetensors", "best.safetensors", "history.csv", "timing.json")
    words = [f"{name.partition('.')[0]}={folder / name}" for name in names]
    words = ["--config", json.dumps(config), "--input", f"data={data}", "--output", *words]
    return subprocess.run(
        [sys.executable, "-m", "nenni", "pretrain", *words], cwd=folder, text=True, check=False,
        capture_output=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def test_same_result_as_one_process(data: Path, tmp_path: Path) -> None:
    """402 images in batches of 100: the last one has 2, one for each process."""
    found = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        done = pretrain(folder, data, processes, average=0.9)
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
    monkeypatch.setattr(nenni.distributed, "processes", lambda: 3)
    parts = []
    for number in range(3):
        monkeypatch.setattr(nenni.distributed, "rank", lambda number=number: number)
        parts.append(share(torch.arange(5)))
        with pytest.raises(UserError, match="3 processes share a batch of 2 images; use fewer"):
            share(torch.arange(2))
    assert [part.tolist() for part in parts] == [[0, 3], [1, 4], [2]]


@pytest.mark.slow
def test_more_processes_than_images_is_one_message(data: Path, tmp_path: Path) -> None:
    done = pretrain(tmp_path, data, 3)
    assert done.returncode == 2
    assert "3 processes share a batch of 2 images; use fewer processes" in done.stderr
    assert "Traceback" not in done.stderr


def test_alone_a_process_has_the_whole_batch() -> None:
    assert torch.equal(share(torch.arange(5)), torch.arange(5))
