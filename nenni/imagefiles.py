"""A person's own images: a folder with one subfolder per class, or an npz file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.functional import center_crop, resize

from nenni.errors import UserError

Batch = tuple[Tensor, Tensor]


def read_images(path: Path, size: int | None, batch_size: int) -> Iterator[Batch]:
    """Batches of images (N, C, H, W) in [0, 1] and labels (N,), in the order of their names.

    Parameters
    ----------
    path : Path
        A folder whose subfolders are the classes, in alphabetical order; or an npz file with x,
        bytes (N, H, W, C) or (N, H, W), and y, whole numbers (N,).
    size : int or None
        Images of a folder are resized so that their shorter side has so many pixels, and cropped to
        a square. None leaves them as they are.
    batch_size : int
        Images per batch.

    Raises
    ------
    UserError
        If nothing fitting is there, or images differ in size.
    """
    if path.is_dir():
        return _from_folder(path, size, batch_size)
    if not path.exists():
        raise UserError(f"{path}: is neither a folder of images nor an npz file")
    if size is not None:
        raise UserError(f"{path}: --size is for folders; an npz file has one size already")
    images, labels = _from_npz(path)
    return zip(images.split(batch_size), labels.split(batch_size), strict=True)


def _from_npz(path: Path) -> Batch:
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = file["x"], file["y"]
    except (KeyError, ValueError, OSError, EOFError) as error:
        raise UserError(
            f"{path}: should be an npz file with x, bytes (N, H, W, C), and y, whole numbers (N,): "
            f"{error}"
        ) from error
    if (
        x.dtype != np.uint8
        or x.ndim not in (3, 4)
        or y.shape != x.shape[:1]
        or y.dtype.kind not in "iu"
    ):
        raise UserError(
            f"{path}: x should be bytes (N, H, W, C) or (N, H, W) and y whole numbers (N,), got "
            f"{x.dtype} {x.shape} and {y.dtype} {y.shape}"
        )
    images = torch.from_numpy(x if x.ndim == 4 else x[..., None]).movedim(-1, 1)
    return images.float().div_(255).contiguous(), torch.from_numpy(y.astype(np.int64))


def _from_folder(path: Path, size: int | None, batch_size: int) -> Iterator[Batch]:
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir())
    files = [
        (file, label)
        for label, folder in enumerate(classes)
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in IMG_EXTENSIONS
    ]
    if not files:
        raise UserError(f"{path}: holds no images in subfolders, one per class")
    for start in range(0, len(files), batch_size):
        some = files[start : start + batch_size]
        images = [_decode(file, size) for file, _ in some]
        for (file, _), image in zip(some, images, strict=True):
            if image.shape != images[0].shape:
                raise UserError(
                    f"{file}: is of size {tuple(image.shape)} where {some[0][0]} is of "
                    f"{tuple(images[0].shape)}; --size N makes them equal"
                )
        yield torch.stack(images), torch.tensor([label for _, label in some])


def _decode(file: Path, size: int | None) -> Tensor:
    try:
        image = decode_image(str(file), ImageReadMode.RGB)
    except RuntimeError as error:
        raise UserError(f"{file}: cannot be decoded as an image ({error})") from error
    if size is not None:
        image = center_crop(resize(image, [size], antialias=True), [size])
    scaled: Tensor = image.float() / 255
    return scaled
