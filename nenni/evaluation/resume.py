"""Work that was done before a call was killed, and how it is known to be the same work."""

import hashlib
import json
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nenni.core.checkpoint import Checkpoint
from nenni.core.seeding import seeded
from nenni.evaluation.attack_images import Table
from nenni.networks.copying import copied_or_none

_PROBES, _NEAR = 8, 0.05
"""Points near the first image, and as many anywhere; how far from it."""
Part = tuple[Table, list[str]]
"""Examples of one attack on one batch, and what should be known of them."""


class Parts:
    """Finished parts of the work in their order, kept between calls.

    Parameters
    ----------
    file : path or None
        Where they are kept; None keeps nothing.
    key : str
        From :func:`key_of`.
    progress : callable
        Is told of parts that were found.
    """

    def __init__(self, file: str | Path | None, key: str, progress: Callable[[str], None]) -> None:
        self._checkpoint, self._taken = Checkpoint(None if file is None else Path(file), key), 0
        self._state: dict[str, Any] = {"parts": []}
        if (kept := self._checkpoint.load(progress)) is not None:
            self._state = kept
            progress(f"resumed after {len(kept['parts'])} parts")

    def next(self, what: str, do: Callable[[], Part]) -> tuple[Part, bool]:
        """The next part, and whether it was kept: it is done anew unless it is the same work."""
        parts = self._state["parts"]
        if self._taken < len(parts) and parts[self._taken]["what"] == what:
            self._taken += 1
            found = parts[self._taken - 1]
            return (found["table"], found["notes"]), True
        del parts[self._taken :]
        table, notes = do()
        parts.append({"what": what, "table": table, "notes": notes})
        self._checkpoint.save(self._state)
        self._taken += 1
        return (table, notes), False

    def discard(self) -> None:
        """Forget them, once the work is done."""
        self._checkpoint.discard()


def key_of(networks: Iterable[nn.Module], images: Tensor, settings: Any) -> str:
    """Name of a piece of work, which a part kept by another call must have been part of.

    Parameters
    ----------
    networks : iterable of Module
        By their weights, by their answers to the images, and by answers and gradients at points
        near the first of them and anywhere: other code with the same weights is another network.
    images : Tensor
        The first batch.
    settings : JSON value
        All that was asked for.
    """
    digests = [json.dumps(settings, sort_keys=True)]
    for network in networks:
        asked = copied_or_none(network) or network
        digests += _state_of(network)
        with seeded("key"):
            with torch.no_grad():
                digests.append(digest([asked(images.clone())]))
            digests += _slopes(asked, images[:1])
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def weights_of(network: nn.Module) -> str:
    """Checksum of a network's weights: names, types, shapes and bytes of all that its state has."""
    return hashlib.sha256("\n".join(_state_of(network)).encode()).hexdigest()


def _state_of(network: nn.Module) -> list[str]:
    return [f"{name} {_bytes_of(value)}" for name, value in network.state_dict().items()]


def _slopes(network: nn.Module, image: Tensor) -> list[str]:
    """Outputs at points near an image and anywhere, and the gradient of a mixture of them."""
    draws = torch.Generator(image.device).manual_seed(0)
    shape = (_PROBES, *image.shape[1:])
    u, v = (torch.rand(shape, generator=draws, device=image.device).to(image) for _ in range(2))
    points = torch.cat([(image + _NEAR * (2 * u - 1)).clamp(0, 1), v])
    steady = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    with torch.enable_grad(), steady:
        points.requires_grad_()
        outputs = network(points.clone())
        if not outputs.requires_grad:
            return [digest([outputs])]
        mixture = torch.arange(outputs[0].numel(), device=outputs.device).to(outputs).cos()
        try:
            (slope,) = torch.autograd.grad((outputs.flatten(1) * mixture).sum(), points)
        except RuntimeError as error:
            return [digest([outputs]), str(error)]
    return [digest([outputs, slope])]


def digest(tensors: Iterable[Tensor]) -> str:
    """Checksum of the bytes of some tensors."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()


def _bytes_of(value: object) -> str:
    """Checksum of what a state holds: mostly tensors, but any object where a module says so."""
    if isinstance(value, Tensor) and not value.is_quantized:
        return digest([value])
    buffer = BytesIO()
    try:
        torch.save(value, buffer)
    except Exception:
        return repr(value)
    return hashlib.sha256(buffer.getvalue()).hexdigest()
