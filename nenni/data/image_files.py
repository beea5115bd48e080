"""Files of images, and a person's own images for the commands."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from nenni.core.errors import UserError
from nenni.data.npz_file import read_pool

EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Files that count as images."""
Batch = tuple[Tensor, Tensor]
"""Images (N, C, H, W) in [0, 1] and labels (N,)."""
_File = tuple[Path, int]


class ImageFiles:
    """Batches of images (N, C, H, W) in [0, 1] and labels (N,), in the order of their names.

    Parameters
    ----------
    path : Path
        A folder whose subfolders are the classes, in alphabetical order; or an npz file with x,
        bytes (N, H, W, C) or (N, H, W), and y, whole numbers (N,).
    size : int or None
        See :func:`read_image`; for folders.
    batch_size : int
        Images per batch.
    examples : int or None
        So many images alone: the first of an npz file; of a folder, whose classes stand one after
        another, evenly spaced ones.
    order : int or None
        Seed of a random order.

    Attributes
    ----------
    n_classes : int
        Number of classes, of all images that are there.

    Raises
    ------
    UserError
        If nothing fitting is there; on reading, if images differ in size.
    """

    def __init__(
        self,
        path: Path,
        size: int | None,
        batch_size: int,
        *,
        examples: int | None = None,
        order: int | None = None,
    ) -> None:
        self.size, self.batch_size = size, batch_size
        self.files: list[_File] = []
        if path.is_dir():
            classes, self.files = list_images(path)
            self.n_classes, n = len(classes), len(self.files)
        elif not path.exists():
            raise UserError(f"{path}: is neither a folder of images nor an npz file")
        elif size is not None:
            raise UserError(f"{path}: --size is for folders; an npz file has one size already")
        else:
            pool = read_pool(path, "x", "y")
            self.pixels, self.labels = pool.pixels, pool.labels
            self.n_classes, n = int(pool.labels.max()) + 1, len(pool)
        positions = torch.arange(n)
        if order is not None:
            positions = torch.randperm(n, generator=torch.Generator().manual_seed(order))
        if examples is not None and examples < n:
            spread = bool(self.files) and order is None
            positions = positions[
                torch.arange(examples) * n // examples if spread else slice(examples)
            ]
        self.positions = positions

    def __len__(self) -> int:
        return -(-len(self.positions) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for some in self.positions.split(self.batch_size):
            if self.files:
                yield _decoded([self.files[i] for i in some.tolist()], self.size)
            else:
                pixels = torch.from_numpy(self.pixels)[some]
                yield pixels.float() / 255, torch.from_numpy(self.labels)[some]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image, (C, H, W)."""
        if not self.files:
            return tuple(self.pixels.shape[1:])
        return read_image(self.files[0][0], self.size).shape


def list_images(folder: Path) -> tuple[list[str], list[_File]]:
    """Classes, the subfolders in alphabetical order, and the images below each with its label.

    Raises
    ------
    UserError
        If the folder is missing, or has no images in subfolders.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: should be a folder with one subfolder of images per class")
    classes = sorted(inner.name for inner in folder.iterdir() if inner.is_dir())
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((folder / name).rglob("*"))
        if file.suffix.lower() in EXTENSIONS
    ]
    if not files:
        raise UserError(f"{folder}: holds no images in subfolders, one per class")
    if empty := set(range(len(classes))) - {label for _, label in files}:
        raise UserError(f"{folder / classes[min(empty)]}: holds no images")
    return classes, files


def read_image(file: Path, size: int | None) -> NDArray[np.uint8]:
    """An image as bytes (3, H, W).

    Parameters
    ----------
    file : Path
        Of any format that Pillow reads.
    size : int or None
        The shorter side gets so many pixels (bilinear, with antialiasing), and the middle square
        is cut out. None leaves the image as it is.

    Raises
    ------
    UserError
        If it cannot be decoded.
    """
    try:
        with Image.open(file) as opened:
            image = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{file}: cannot be decoded as an image ({error})") from error
    if size is not None:
        scale = size / min(image.size)
        width, height = (max(size, round(side * scale)) for side in image.size)
        left, top = (width - size) // 2, (height - size) // 2
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        image = image.crop((left, top, left + size, top + size))
    return np.ascontiguousarray(np.moveaxis(np.asarray(image), -1, 0))


def check_image(file: Path) -> None:
    """Raise a UserError if a file does not begin as an image does; quicker than decoding it."""
    try:
        with Image.open(file) as opened:
            opened.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{file}: cannot be decoded as an image ({error})") from error


def _decoded(files: list[_File], size: int | None) -> Batch:
    images = [read_image(file, size) for file, _ in files]
    for (file, _), image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            raise UserError(
                f"{file}: is of size {image.shape} where {files[0][0]} is of {images[0].shape}; "
                "--size N makes them equal"
            )
    labels = torch.tensor([label for _, label in files])
    return torch.from_numpy(np.stack(images)).float() / 255, labels
