"""Work that was done before a call was killed, and how it is known to be the same work."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nenni.core.checkpoint import Checkpoint
from nenni.evaluation.attack_images import Table
from nenni.evaluation.subject import copied, drawn

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
        self._checkpoint, self._taken = Checkpoint(None if file is None else Path(file)), 0
        self._state: dict[str, Any] = {"key": key, "parts": []}
        kept = self._checkpoint.load()
        if isinstance(kept, dict) and kept.get("key") == key:
            self._state = kept
            progress(f"resumed after {len(kept['parts'])} parts")

    def next(self, data: str, do: Callable[[], Part]) -> tuple[Part, bool]:
        """The next part, and whether it was kept: it is done anew unless it is of this data."""
        parts = self._state["parts"]
        if self._taken < len(parts) and parts[self._taken]["data"] == data:
            self._taken += 1
            found = parts[self._taken - 1]
            return (found["table"], found["notes"]), True
        del parts[self._taken :]
        table, notes = do()
        parts.append({"data": data, "table": table, "notes": notes})
        self._checkpoint.save(self._state)
        self._taken += 1
        return (table, notes), False

    def discard(self) -> None:
        """Forget them, once the work is done."""
        self._checkpoint.discard()


@torch.no_grad()
def key_of(networks: Iterable[nn.Module], images: Tensor, settings: Any) -> str:
    """Name of a piece of work, which a part kept by another call must have been part of.

    Parameters
    ----------
    networks : iterable of Module
        By their weights and by their answers to the images: other code with the same weights is
        another network.
    images : Tensor
        The first batch.
    settings : JSON value
        All that was asked for.
    """
    digests = [json.dumps(settings, sort_keys=True)]
    for network in networks:
        asked = copied(network) or network
        digests.append(digest(network.state_dict().values()))
        with drawn(asked, "key"):
            digests.append(digest([asked(images.clone())]))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def digest(tensors: Iterable[Tensor]) -> str:
    """Checksum of the bytes of some tensors."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
