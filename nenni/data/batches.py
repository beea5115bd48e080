"""Images as they are handed over: tensors, a loader of batches, or a data set."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from math import isfinite
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, Subset, default_collate
from torch.utils.data import Dataset as MapStyle

from nenni.core.errors import UserError, in_a_line, last_line
from nenni.data.checks import check_count, check_labels, check_readable

Array = Tensor | NDArray[Any]
Batch = Array | Sequence[Any] | Mapping[str, Any]
Data = Array | tuple[Array, Array] | Iterable[Batch] | MapStyle[Any]
"""Images (N, C, H, W), with labels (N,) or, where none are needed, without.

Where they are attacked, they are in [0, 1]; elsewhere what the network takes. No image of anybody's
is changed, whatever the network does with those that it is given.

The two as tensors or arrays; a loader, or a list, of batches of them; or a map-style data set of
single images and labels. Tensors and data sets are cut into batches here, a loader has its own. A
batch or an item may name them: a dict, or a named tuple, with an entry of :data:`IMAGES` and, if
there are labels, one of :data:`LABELS`; unnamed, they come first and second, and more is left
aside.
"""
IMAGES = ("image", "images", "img", "pixel_values", "inputs", "input", "x")
LABELS = ("label", "labels", "target", "targets", "y")


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
        If there are no images or no labels, something else in their place, or `examples` or
        `batch_size` is no whole number of 1 or more.
    """
    if examples is not None:
        check_count("examples", examples)
    seen = 0
    for images, labels in _batches(data, batch_size):
        if labels is None:
            raise UserError(
                "labels are needed: give (images, labels), or a loader or a data set of both, the "
                "labels as numbers"
            )
        check_readable(images)
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
    size = len(pair[0]) if (pair := _pair(_unnamed(data))) else _AT_ONCE
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
    data = _unnamed(data)
    if isinstance(data, _ARRAYS):
        return _tensor(data)[order]
    if pair := _pair(data):
        return pair[0][order], pair[1][order]
    return Subset(data, order.tolist()) if _is_map_style(data) else data


def count_batches(data: Data, batch_size: int, examples: int | None = None) -> int | None:
    """Number of batches up to a number of images; None if the loader does not know."""
    data = _unnamed(data)
    if isinstance(data, _ARRAYS) or (pair := _pair(data)) or _is_map_style(data):
        n = len(pair[0]) if pair else len(data)  # type: ignore[arg-type]
        return -(-(n if examples is None else min(examples, n)) // batch_size)
    try:
        count = len(data) if isinstance(data, Sized) else None
    except TypeError:  # a loader of a stream
        return None
    if count is None or examples is None:
        return count
    own = getattr(data, "batch_size", None)
    return min(count, -(-examples // own)) if own else None


def device_of(model: nn.Module) -> torch.device:
    """Where a network's parameters are, and its images go."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


_AT_ONCE = 250
_ARRAYS = (Tensor, np.ndarray)
_NO_IMAGES = (
    "there are no images: the data have no batch; an iterator that was gone through gives none"
)


def _batches(data: Data, batch_size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    check_count("batch_size", batch_size)
    data = _unnamed(data)
    if isinstance(data, _ARRAYS):
        check_readable(images := _tensor(data))
        yield from ((images[i : i + batch_size], None) for i in range(0, len(images), batch_size))
    elif pair := _pair(data):
        images, labels = pair
        check_readable(images)
        check_labels(images, labels)
        starts = range(0, len(images), batch_size)
        yield from ((images[i : i + batch_size], labels[i : i + batch_size]) for i in starts)
    else:
        if _is_map_style(data):
            own = torch.Generator()  # or the loader draws from the global one
            data = DataLoader(data, batch_size, collate_fn=_collated, generator=own)
        yield from (batch for batch in map(_parts, _read(data)) if len(batch[0]))


def _read(data: object) -> Iterator[Any]:
    """What a loader gives; its errors, of a worker process too, in a line."""
    try:
        yield from _iterable(data)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"the data cannot be read: {last_line(error)}") from error


def _check_images(images: Tensor, model: nn.Module) -> None:
    check_readable(images)
    if not images.is_floating_point():
        if any(isinstance(module, nn.Embedding | nn.EmbeddingBag) for module in model.modules()):
            return  # words
        raise UserError(f"images should be float32, got {images.dtype}: divide bytes by 255")
    taken = {p.dtype for p in model.parameters() if p.is_floating_point()}
    if taken and images.dtype not in taken:
        dtype = min(map(str, taken))
        raise UserError(
            f"images are {images.dtype} and the model's weights {dtype}: give images.to({dtype})"
        )
    if not all(map(isfinite, images.detach().aminmax())):
        raise UserError("images should be finite numbers, and some of these are not")


def _pair(data: object) -> tuple[Tensor, Tensor] | None:
    """Images and labels, if data are these, and not two batches of images, as Tensor.split gives.

    More, such as indices, may follow labels that cannot be images.
    """
    if not isinstance(data, tuple | list) or len(data) < 2 or hasattr(data, "_fields"):
        return None
    first, labels = data[0], data[1]
    if not isinstance(first, _ARRAYS) or (images := _tensor(first)).dim() < 2:
        return None
    if isinstance(labels, list | tuple) and labels and all(isinstance(y, int) for y in labels):
        labels = torch.tensor(labels)
    if not isinstance(labels, _ARRAYS):
        return None
    labels = _tensor(labels)
    one_each = labels.dim() == 1 and len(labels) == len(images)
    if (len(data) > 2 and not one_each) or images.shape[1:] == labels.shape[1:]:
        return None
    return images, labels


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
    item = _unnamed(item)
    if isinstance(item, _ARRAYS):
        return _tensor(item), None
    if not (isinstance(item, Sequence) and item and isinstance(item[0], _ARRAYS)):
        raise UserError(
            "a batch should be images, or images and labels, as tensors or arrays, got a "
            f"{type(item).__name__}"
        )
    images = _tensor(item[0])
    labels = _labels(item[1]) if len(item) > 1 else None
    if labels is not None and images.dim() < 2 and labels.dim() > 1:
        raise UserError(
            f"a batch should be images, then labels; got shapes {tuple(images.shape)} and "
            f"{tuple(labels.shape)}: let the loader give them in this order"
        )
    if labels is not None and labels.dim() == 0 and images.dim() == 3:
        raise UserError(
            f"a batch should be images (N, C, H, W), got a single one of shape "
            f"{tuple(images.shape)}: give a DataLoader with a batch_size of 1 or more"
        )
    return images, labels


def _unnamed(data: Any) -> Any:
    """The images of a dict or a named tuple, with its labels, if it has any; others as they are."""
    item = data
    if hasattr(data, "_fields") and {*data._fields} & {*IMAGES}:
        item = data._asdict()
    if not isinstance(item, Mapping):
        return data
    parts = [[key for key in names if key in item] for names in (IMAGES, LABELS)]
    if len(parts[0]) != 1 or len(parts[1]) > 1:
        raise UserError(
            f"a dict should have its images under one of {', '.join(IMAGES)}, and labels, if any, "
            f"under one of {', '.join(LABELS)}; got {', '.join(map(str, item))}"
        )
    found = [item[key] for keys in parts for key in keys]
    return found if len(found) > 1 else found[0]


def _labels(given: object) -> Tensor | None:
    """Labels as a tensor; None where there are none that could be one."""
    if isinstance(given, _ARRAYS):
        return _tensor(given)
    if isinstance(given, Sequence) and not isinstance(given, str):
        try:
            return torch.tensor(given)
        except (TypeError, ValueError, RuntimeError):
            return None
    return torch.tensor(given) if isinstance(given, int) else None


def _tensor(given: Array) -> Tensor:
    if isinstance(given, Tensor):
        return given
    try:
        return torch.from_numpy(given)
    except (TypeError, ValueError):  # of another byte order, turned round, or no numbers
        pass
    try:
        return torch.from_numpy(given.astype(given.dtype.newbyteorder("=")))
    except TypeError as error:
        raise UserError(f"an array of {given.dtype} holds no numbers: {error}") from error


def _collated(items: list[Any]) -> Any:
    try:
        return default_collate(items)
    except (TypeError, RuntimeError) as error:
        raise UserError(
            "an item of a data set should be an image, or an image and its label, the images as "
            "tensors of one size (transform=torchvision.transforms.ToTensor() makes those of "
            f"pictures): {in_a_line(error)}"
        ) from error
