"""A file of MedMNIST."""

from pathlib import Path

import numpy as np

from nenni.core.errors import UserError
from nenni.core.types import File
from nenni.data.dataset import PublishedData, same_size
from nenni.data.npz_file import read_pool

__all__ = ["medmnist"]

LABELS = {
    "train": ("file", "train_labels"),
    "val": ("file", "val_labels"),
    "test": ("file", "test_labels"),
}


def medmnist(*, file: File) -> PublishedData:
    """Images and labels of an npz file as MedMNIST publishes it (medmnist.com; Yang et al. 2023).

    It has ``train_images``, ``train_labels``, ``val_images`` and so on. Where it has no test
    images, its validation images are the test images, and validation images are held out of the
    training images. Data with several labels per image is refused.

    Parameters
    ----------
    file : str
        E.g. ``pneumoniamnist.npz``.

    Raises
    ------
    UserError
        If the file is missing, damaged or laid out otherwise.
    """
    path = Path(file)
    pools = {part: read_pool(path, f"{part}_images", f"{part}_labels") for part in _parts(path)}
    same_size({f"{path}: {part}_images": pool for part, pool in pools.items()})
    if "test" not in pools:
        pools["test"] = pools.pop("val")
    classes = 1 + max(int(pool.labels.max()) for pool in pools.values())
    return PublishedData(pools["train"], classes, pools.get("val"), pools["test"])


def _parts(path: Path) -> list[str]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            parts = [p for p in ("train", "val", "test") if f"{p}_images" in arrays]
    except Exception as error:  # a damaged file may fail anywhere in a reader
        raise UserError(f"{path}: is no npz file of MedMNIST ({error})") from error
    if "train" not in parts or len(parts) == 1:
        raise UserError(
            f"{path}: should hold train_images and test_images or val_images, has {parts or 'none'}"
        )
    return parts
