"""What a dataset plugin gives: images and labels of the parts that its publishers made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nenni.core.errors import UserError
from nenni.core.types import MOST_CLASSES

_CHANNELS = 4
"""Images may have more, if fewer than pixels along a side."""
_TOLD = 20
"""Classes that are told one by one."""


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
    classes : sequence of str
        Their names, where they have some.
    notes : sequence of str
        What should be known of the data.
    """

    train: Pool
    n_classes: int
    val: Pool | None = None
    test: Pool | None = None
    size: int | None = None
    workers: int = 0
    classes: Sequence[str] = ()
    notes: Sequence[str] = ()

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
        If they are of another type, shape or range; `where` names them in the message.
    """
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise UserError(
            f"{where}: images should be bytes (uint8) of shape (N, H, W, C) or (N, H, W), got "
            f"{images.dtype} {images.shape}"
        )
    if images.ndim == 4 and images.shape[-1] > _CHANNELS and images.shape[-1] >= min(
        images.shape[1:3]
    ):  # fmt: skip
        raise UserError(
            f"{where}: images should be (N, H, W, C), and {images.shape} has as many channels as "
            "pixels: (N, C, H, W) needs its axes moved, and volumes are no images"
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise UserError(
            f"{where}: labels should be {len(images)} whole numbers, one per image, got "
            f"{labels.dtype} {labels.shape}"
        )
    if not images.size:
        raise UserError(f"{where}: holds no images")
    for worst in (labels.min(), labels.max()):
        if not 0 <= int(worst) < MOST_CLASSES:
            raise UserError(
                f"{where}: labels should be from 0 to the number of classes less 1, got {worst}"
            )
    if images.ndim == 3:
        images = images[..., None]
    return Pool(np.ascontiguousarray(np.moveaxis(images, -1, 1)), labels.astype(np.int64))


def counts(labels: NDArray[np.integer], classes: Sequence[str] | int) -> str:
    """How many images there are of each class, in a line; of many classes, the first and the last.

    Parameters
    ----------
    labels : int64 array (N,)
        Of the images.
    classes : sequence of str or int
        Names of the classes, or how many there are.
    """
    names = [f"{i}" for i in range(classes)] if isinstance(classes, int) else classes
    per_class = np.bincount(labels, minlength=len(names))
    told = [f"{name} {count}" for name, count in zip(names, per_class, strict=True)]
    if len(told) > _TOLD:
        told[_TOLD // 2 : -_TOLD // 2] = ["..."]
    empty = int((per_class == 0).sum())
    unseen = f"; {empty} classes have none" if empty else ""
    return f"{len(labels)} images of {len(names)} classes ({', '.join(told)}{unseen})"


def same_size(pools: Mapping[str, Pool]) -> None:
    """Raise a UserError if decoded images of some pools, by where they are from, differ in size."""
    shapes = {
        where: pool.images.shape[1:]
        for where, pool in pools.items()
        if isinstance(pool.images, np.ndarray)
    }
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{shape} in {where}" for where, shape in shapes.items())
        raise UserError(f"images (C, H, W) should be of one size, got {listed}")


def same_classes(train: Sequence[str], test: Sequence[str], where: str) -> None:
    """Raise a UserError if training and test data name other classes."""
    for names, others, what in ((train, test, "training"), (test, train, "test")):
        if alone := sorted(set(names) - set(others)):
            raise UserError(
                f"{where}: class '{alone[0]}' is in the {what} data alone; both should have the "
                "same folders"
            )
