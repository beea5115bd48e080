"""What a dataset plugin gives: images and labels of the parts that its publishers made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nenni.core.errors import UserError


@dataclass(frozen=True)
class Pool:
    """Images and their labels.

    Attributes
    ----------
    images : uint8 array (N, C, H, W) or sequence of Path
        Decoded, or the files to decode as they are needed.
    labels : int64 array (N,)
        From 0 up.
    """

    images: NDArray[np.uint8] | Sequence[Path]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The images, where they are decoded."""
        assert isinstance(self.images, np.ndarray)
        return self.images


@dataclass(frozen=True)
class PublishedData:
    """A dataset.

    Attributes
    ----------
    train : Pool
        What training and validation images are taken from; without `test`, test images too.
    n_classes : int
        Number of classes.
    val, test : Pool or None
        As published; what is not is held out of `train` at random.
    size : int or None
        Side to which files are resized and cropped when they are read.
    workers : int
        Processes that read them.
    """

    train: Pool
    n_classes: int
    val: Pool | None = None
    test: Pool | None = None
    size: int | None = None
    workers: int = 0

    @property
    def pools(self) -> dict[str, Pool]:
        """The parts there are."""
        found = {"train": self.train, "val": self.val, "test": self.test}
        return {name: pool for name, pool in found.items() if pool is not None}


def checked_pool(images: NDArray[np.generic], labels: NDArray[np.generic], where: str) -> Pool:
    """Arrays as a pool: bytes (N, H, W, C) or (N, H, W), whole numbers (N,) or (N, 1) from 0 up.

    Raises
    ------
    UserError
        If they are of another type or shape; `where` names them in the message.
    """
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise UserError(
            f"{where}: images should be bytes (uint8) of shape (N, H, W, C) or (N, H, W), got "
            f"{images.dtype} {images.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise UserError(
            f"{where}: labels should be {len(images)} whole numbers, one per image, got "
            f"{labels.dtype} {labels.shape}"
        )
    if not len(labels):
        raise UserError(f"{where}: holds no images")
    if labels.min() < 0:
        raise UserError(f"{where}: labels should be 0 or more, got {labels.min()}")
    if images.ndim == 3:
        images = images[..., None]
    return Pool(np.ascontiguousarray(np.moveaxis(images, -1, 1)), labels.astype(np.int64))


def same_classes(train: Sequence[str], test: Sequence[str], where: str) -> None:
    """Raise a UserError if training and test data name other classes."""
    for names, others, what in ((train, test, "training"), (test, train, "test")):
        if alone := sorted(set(names) - set(others)):
            raise UserError(
                f"{where}: class '{alone[0]}' is in the {what} data alone; both should have the "
                "same folders"
            )
