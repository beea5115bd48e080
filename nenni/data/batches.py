"""Images as they are handed over: tensors, a loader of batches, or a data set."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from math import isfinite
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, Subset, default_collate
from torch.utils.data import Dataset as MapStyle

from nenni.core.errors import UserError
from nenni.data.checks import check_labels

Data = Tensor | tuple[Tensor, Tensor] | Iterable[Tensor | Sequence[Tensor]] | MapStyle[Any]
"""Images (N, C, H, W), with labels (N,) or, where none are needed, without.

Where they are attacked, they are in [0, 1]; elsewhere what the network takes.

The two tensors; a loader, or a list, of batches of them; or a map-style data set of single images
and labels. Tensors and data sets are cut into batches here, a loader has its own.
"""


def image_batches(data: Data, batch_size: int, model: nn.Module) -> Iterator[Tensor]:
    """Batches of images for a network, in the order of the data; labels are left aside.

    Raises
    ------
    UserError
        If there are no images, something else in their place, or images that are not finite or of
        another type than the network's weights.
    """
    empty = True
    for images, _ in _batches(data, batch_size):
        empty = False
        _check_images(images, model)
        yield images.to(device_of(model))
    if empty:
        raise UserError(_NO_IMAGES)


def labelled_batches(
    data: Data, batch_size: int, device: torch.device, examples: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of images and labels on a device, up to a number of images.

    Raises
    ------
    UserError
        If there are no images or no labels, or something else in their place.
    """
    seen = 0
    for images, labels in _batches(data, batch_size):
        if labels is None:
            raise UserError(
                "labels are needed: give (images, labels), or a loader or a data set of both"
            )
        check_labels(images, labels)
        rest = len(images) if examples is None else examples - seen
        if rest <= 0:
            return
        seen += len(images)
        yield images[:rest].to(device), labels[:rest].to(device, torch.int64)
    if not seen:
        raise UserError(_NO_IMAGES)


def all_labelled(
    data: Data, device: torch.device, examples: int | None = None
) -> tuple[Tensor, Tensor]:
    """All images and labels at once, or the first so many; see :func:`labelled_batches`."""
    size = len(data[0]) if _is_pair(data) else _AT_ONCE
    parts = list(labelled_batches(data, max(1, size), device, examples))
    if len(parts) == 1:
        return parts[0]
    return torch.cat([images for images, _ in parts]), torch.cat([labels for _, labels in parts])


def one_image(data: Data, model: nn.Module) -> Tensor:
    """The first image, (1, ...); see :func:`image_batches`."""
    check_repeatable(data)
    return next(image_batches(data, 1, model))[:1]


def check_repeatable(data: Data) -> None:
    """Refuse data that can be gone through only once.

    Raises
    ------
    UserError
        If they are an iterator.
    """
    if isinstance(data, Iterator):
        raise UserError(
            "the images are needed several times, and an iterator gives them once: give a loader "
            "or a list of batches"
        )


def reordered(data: Data, order: Tensor) -> Data:
    """Data in another order; a loader, whose own that is, as it was."""
    if isinstance(data, Tensor):
        return data[order]
    if _is_pair(data):
        return data[0][order], data[1][order]
    return Subset(data, order.tolist()) if _is_map_style(data) else data


def count_batches(data: Data, batch_size: int, examples: int | None = None) -> int | None:
    """Number of batches up to a number of images; None if the loader does not know."""
    if isinstance(data, Tensor) or _is_pair(data) or _is_map_style(data):
        n = len(data[0]) if _is_pair(data) else len(data)  # type: ignore[arg-type]
        return -(-(n if examples is None else min(examples, n)) // batch_size)
    count = len(data) if isinstance(data, Sized) else None
    if count is None or examples is None:
        return count
    own = getattr(data, "batch_size", None)
    return min(count, -(-examples // own)) if own else None


def device_of(model: nn.Module) -> torch.device:
    """Where a network's parameters are, and its images go."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


_AT_ONCE = 250
_NO_IMAGES = (
    "there are no images: the data have no batch; an iterator that was gone through gives none"
)


def _batches(data: Data, batch_size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    if isinstance(data, Tensor):
        starts = range(0, len(data), batch_size)
        yield from ((data[i : i + batch_size], None) for i in starts)
    elif _is_pair(data):
        images, labels = data
        check_labels(images, labels)
        starts = range(0, len(images), batch_size)
        yield from ((images[i : i + batch_size], labels[i : i + batch_size]) for i in starts)
    else:
        if _is_map_style(data):
            own = torch.Generator()  # or the loader draws from the global one
            data = DataLoader(data, batch_size, collate_fn=_collated, generator=own)
        yield from (batch for batch in map(_parts, _iterable(data)) if len(batch[0]))


def _check_images(images: Tensor, model: nn.Module) -> None:
    if not images.is_floating_point():
        if any(isinstance(module, nn.Embedding) for module in model.modules()):
            return  # words
        raise UserError(f"images should be float32, got {images.dtype}: divide bytes by 255")
    taken = {p.dtype for p in model.parameters() if p.is_floating_point()}
    if taken and images.dtype not in taken:
        dtype = min(map(str, taken))
        raise UserError(
            f"images are {images.dtype} and the model's weights {dtype}: give images.to({dtype})"
        )
    if not all(map(isfinite, images.aminmax())):
        raise UserError("images should be finite numbers, and some of these are not")


def _is_pair(data: object) -> TypeGuard[tuple[Tensor, Tensor]]:
    """Images and labels, and not two batches of images, as Tensor.split gives them."""
    return (
        isinstance(data, tuple | list)
        and len(data) == 2
        and all(isinstance(part, Tensor) for part in data)
        and data[0].shape[1:] != data[1].shape[1:]
    )


def _is_map_style(data: object) -> TypeGuard[MapStyle[Any]]:
    return isinstance(data, MapStyle) and not isinstance(data, IterableDataset)


def _iterable(data: object) -> Iterable[Any]:
    if isinstance(data, IterableDataset) or not isinstance(data, Iterable):
        raise UserError(
            "data should be images, (images, labels), a loader of batches or a map-style data set, "
            f"got a {type(data).__name__}"
        )
    return data


def _parts(item: object) -> tuple[Tensor, Tensor | None]:
    """Images and labels of a batch of a loader; more, such as indices, is left aside."""
    if isinstance(item, Tensor):
        return item, None
    if isinstance(item, Sequence) and item and isinstance(item[0], Tensor):
        labelled = len(item) > 1 and isinstance(item[1], Tensor)
        return item[0], item[1] if labelled else None
    raise UserError(
        f"a batch should be images, or images and labels, as tensors, got a {type(item).__name__}"
    )


def _collated(items: list[Any]) -> Any:
    try:
        return default_collate(items)
    except (TypeError, RuntimeError) as error:
        raise UserError(
            "an item of a data set should be an image, or an image and its label, the images as "
            f"tensors of one size: {error}"
        ) from error
