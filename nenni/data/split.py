"""The images of a split, in memory or in files, and batches of them on a device."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nenni.core.errors import UserError, last_line
from nenni.data.image_file import read_image
from nenni.data.image_files import Batch


class Images(Protocol):
    """A split: labelled images."""

    @property
    def labels(self) -> Tensor:
        """Their classes, (N,)."""

    def __len__(self) -> int:
        """Number of images."""

    def batches(self, order: Sequence[Tensor]) -> Iterator[Batch]:
        """Images (N, C, H, W) in [0, 1] and labels (N,) of these positions, batch by batch."""


@dataclass(frozen=True)
class InMemory:
    """Decoded images.

    Parameters
    ----------
    pixels : Tensor
        Images (M, C, H, W): bytes, or numbers in [0, 1].
    labels : Tensor
        Of the split, (N,).
    rows : Tensor
        Which of the pixels are the split's, (N,).
    """

    pixels: Tensor
    labels: Tensor
    rows: Tensor

    @classmethod
    def of(cls, images: Tensor, labels: Tensor) -> "InMemory":
        """All of some images."""
        return cls(images, labels, torch.arange(len(images), device=images.device))

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, order: Sequence[Tensor]) -> Iterator[Batch]:
        """See :class:`Images`."""
        for indices in order:
            indices = indices.to(self.rows.device)
            yield _scaled(self.pixels[self.rows[indices]]), self.labels[indices]


@dataclass(frozen=True)
class InFiles:
    """Images that are decoded each time they are needed.

    Parameters
    ----------
    files : sequence of Path
        One per image.
    labels : Tensor
        (N,), on the device that batches go to.
    size : int
        Side in pixels; see :func:`nenni.data.image_file.read_image`.
    workers : int
        Processes that decode, ahead of what takes the batches; 0 decodes when asked.
    """

    files: Sequence[Path]
    labels: Tensor
    size: int
    workers: int

    def __len__(self) -> int:
        return len(self.files)

    def batches(self, order: Sequence[Tensor]) -> Iterator[Batch]:
        """See :class:`Images`."""
        device, over = self.labels.device, torch.tensor(False).share_memory_()
        loader = DataLoader(
            _Files(self.files, self.size, over),
            batch_sampler=[indices.tolist() for indices in order],
            num_workers=self.workers,
            pin_memory=device.type == "cuda",
            collate_fn=torch.stack,
        )
        decoded, told = iter(loader), ""
        try:
            for pixels, indices in zip(decoded, order, strict=True):
                labels = self.labels[indices.to(device)]
                yield _scaled(pixels.to(device, non_blocking=True)), labels
        except UserError as error:  # of a worker, with its traceback as the message
            told = last_line(error).rpartition("UserError: ")[2]
            error.__traceback__ = None  # would keep the workers, until it is too late to stop them
        finally:
            over.fill_(True)
            del decoded
        if told:
            raise UserError(told)


class _Files(Dataset[Tensor]):
    """Files as images; once it is over none is decoded, so that no worker is waited for."""

    def __init__(self, files: Sequence[Path], size: int, over: Tensor) -> None:
        self.files, self.size, self.over = files, size, over

    def __getitem__(self, index: int) -> Tensor:
        if self.over:
            raise UserError(f"{self.files[index]}: is not needed any more")
        return torch.from_numpy(read_image(self.files[index], self.size))


def first(images: Images, n: int) -> Batch:
    """The first so many images and labels; those of a split are in random order.

    Raises
    ------
    UserError
        If there are fewer.
    """
    if n > len(images):
        raise UserError(f"{n} images are asked for, and the split has {len(images)}")
    (batch,) = images.batches([torch.arange(n)])
    return batch


def in_turn(n: int, batch_size: int) -> Sequence[Tensor]:
    """Positions of n images in their order, batch by batch."""
    positions: tuple[Tensor, ...] = torch.arange(n).split(batch_size)
    return positions


def _scaled(pixels: Tensor) -> Tensor:
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
