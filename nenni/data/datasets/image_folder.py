"""Images in folders, one per class."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nenni.core.types import FewOrNone, Folder, NonNegative, Pixels
from nenni.data.class_folders import list_images
from nenni.data.dataset import Pool, PublishedData, same_classes
from nenni.data.image_file import check_image, read_image

__all__ = ["image_folder"]

FOLDERS = {"train": "train", "test": "test"}


def image_folder(
    *,
    train: Folder,
    test: Folder | None = None,
    size: Pixels,
    max_gib: NonNegative = 4.0,
    workers: FewOrNone = 2,
) -> PublishedData:
    """A folder with one subfolder of images per class, as ImageNet is laid out.

    Labels follow the alphabetical order of the subfolders, or, if all their names are whole
    numbers, these. Hidden files and folders are left out, links are followed.
    Images are resized so that their shorter side has `size` pixels, and cropped to a square. They
    are decoded once where that takes up to `max_gib` GiB; otherwise their headers are checked and
    they are decoded each time they are needed.

    Parameters
    ----------
    train, test : str
        Folders. Without the second, test images are held out of the first.
    size : int
        Side of the square in pixels.
    max_gib : float
        Memory for decoded images, in GiB.
    workers : int
        Processes that decode.

    Raises
    ------
    UserError
        If an image cannot be decoded, or the folders differ in their classes.
    """
    found = {Path(folder): list_images(Path(folder)) for folder in (train, test) if folder}
    classes = found[Path(train)].classes
    listed = {folder: below.files for folder, below in found.items()}
    if test is not None:
        same_classes(classes, found[Path(test)].classes, f"{train} and {test}")
    total = sum(map(len, listed.values()))
    decoded = total * 3 * size**2 <= max_gib * 2**30
    pools = {
        folder: Pool(
            _decode([file for file, _ in files], size)
            if decoded
            else _checked([f for f, _ in files]),
            np.array([label for _, label in files], dtype=np.int64),
        )
        for folder, files in listed.items()
    }
    return PublishedData(
        pools[Path(train)], test=pools.get(Path(test or "")), n_classes=len(classes), size=size,
        workers=workers, classes=classes,
        notes=[note for below in found.values() for note in below.notes],
    )  # fmt: skip


def _decode(files: list[Path], size: int) -> NDArray[np.uint8]:
    return np.stack([read_image(file, size) for file in files])


def _checked(files: list[Path]) -> list[Path]:
    for file in files:
        check_image(file)
    return files
