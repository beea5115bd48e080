"""Images that are read from files while they are asked for."""

import gc
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nenni.data.split
from nenni.core.errors import UserError
from nenni.data.image_file import read_image
from nenni.data.split import InFiles

N, SECONDS = 100, 0.1
"""Images in two batches, and the time that one takes: 5 seconds a batch."""


@pytest.fixture
def slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InFiles:
    files = [tmp_path / f"{i:02}.png" for i in range(N)]
    for file in files:
        Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(file)

    def read(file: Path, size: int | None) -> object:
        if file.name != "00.png":
            time.sleep(SECONDS)
        return read_image(file, size)

    monkeypatch.setattr(nenni.data.split, "read_image", read)
    return InFiles(files, torch.zeros(N, dtype=torch.int64), 4, workers=2)


def broken(images: InFiles) -> None:
    """The first image cannot be read."""
    Path(images.files[0]).write_bytes(b"no image")
    with pytest.raises(
        UserError, match=r"^\S*00.png: cannot be decoded as an image .*take it away$"
    ):
        list(images.batches(torch.arange(N).split(50)))


def left_alone(images: InFiles) -> None:
    """Whoever takes the batches goes away, as one that was interrupted does."""
    batches = images.batches([torch.arange(1), *torch.arange(N).split(50)])
    next(batches)
    batches.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", [broken, left_alone])
def test_no_worker_is_waited_for(end: Callable[[InFiles], None], slowly: InFiles) -> None:
    started = time.perf_counter()
    end(slowly)
    gc.collect()  # as the process does at its end: the loader joins its workers
    assert time.perf_counter() - started < 2.5
