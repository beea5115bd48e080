"""A person's own images for the commands: folders of files, or an npz file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nenni.core.errors import UserError
from nenni.data.class_folders import list_images
from nenni.data.dataset import counts
from nenni.data.image_file import read_image
from nenni.data.npz_file import read_pool

Batch = tuple[Tensor, Tensor]
"""Images (N, C, H, W) in [0, 1] and labels (N,)."""
_File = tuple[Path, int]


class ImageFiles:
    """Batches of images (N, C, H, W) in [0, 1] and labels (N,), in the order of their names.

    Parameters
    ----------
    path : Path
        A folder whose subfolders are the classes (:func:`nenni.data.class_folders.list_images`);
        or an npz file with x,
        bytes (N, H, W, C) or (N, H, W), and y, whole numbers (N,).
    size : int or None
        See :func:`nenni.data.image_file.read_image`; for folders.
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
    found : str
        Classes and images, in a line.

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
        self.path, self.size, self.batch_size = path, size, batch_size
        self.files: list[_File] = []
        if path.is_dir():
            listed = list_images(path)
            self.files, self.n_classes, n = listed.files, len(listed.classes), len(listed.files)
            labels = np.array([label for _, label in listed.files])
            self.found = "; ".join([counts(labels, listed.classes), *listed.notes])
        elif not path.exists():
            raise UserError(f"{path}: is neither a folder of images nor an npz file")
        elif size is not None:
            raise UserError(f"{path}: --size is for folders; an npz file has one size already")
        else:
            pool = read_pool(path, "x", "y")
            self.pixels, self.labels = pool.pixels, pool.labels
            self.n_classes, n = int(pool.labels.max()) + 1, len(pool)
            self.found = counts(pool.labels, self.n_classes)
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
