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
_File = tuple[Path, int]
_Arrays = tuple[np.ndarray, np.ndarray]


class ImageFiles:
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
        If nothing fitting is there; on reading, if images differ in size.
    """

    def __init__(self, path: Path, size: int | None, batch_size: int) -> None:
        self.size, self.batch_size = size, batch_size
        self.source: _Arrays | list[_File]
        if path.is_dir():
            self.source = _listed(path)
        elif not path.exists():
            raise UserError(f"{path}: is neither a folder of images nor an npz file")
        elif size is not None:
            raise UserError(f"{path}: --size is for folders; an npz file has one size already")
        else:
            self.source = _arrays(path)
        self.n = len(self.source if isinstance(self.source, list) else self.source[1])

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, self.n, self.batch_size):
            some = slice(start, start + self.batch_size)
            if isinstance(self.source, list):
                yield _decoded(self.source[some], self.size)
            else:
                x, y = self.source[0][some], self.source[1][some]
                images = torch.from_numpy(x).movedim(-1, 1).float().div_(255).contiguous()
                yield images, torch.from_numpy(y.astype(np.int64))


def _arrays(path: Path) -> _Arrays:
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
    if not len(y):
        raise UserError(f"{path}: holds no images")
    return (x if x.ndim == 4 else x[..., None]), y


def _listed(path: Path) -> list[_File]:
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir())
    files = [
        (file, label)
        for label, folder in enumerate(classes)
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in IMG_EXTENSIONS
    ]
    if not files:
        raise UserError(f"{path}: holds no images in subfolders, one per class")
    return files


def _decoded(files: list[_File], size: int | None) -> Batch:
    images = [_decode(file, size) for file, _ in files]
    for (file, _), image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            raise UserError(
                f"{file}: is of size {tuple(image.shape)} where {files[0][0]} is of "
                f"{tuple(images[0].shape)}; --size N makes them equal"
            )
    return torch.stack(images), torch.tensor([label for _, label in files])


def _decode(file: Path, size: int | None) -> Tensor:
    try:
        image = decode_image(str(file), ImageReadMode.RGB)
    except RuntimeError as error:
        raise UserError(f"{file}: cannot be decoded as an image ({error})") from error
    if size is not None:
        image = center_crop(resize(image, [size], antialias=True), [size])
    scaled: Tensor = image.float() / 255
    return scaled
