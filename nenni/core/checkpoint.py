"""Unfinished work, kept outside ``results/`` and found again only by exactly the same work."""

import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from nenni.core.io import write_atomically

_HEAD = b"nenni checkpoint\n"


class Checkpoint:
    """State of one long piece of work.

    The file holds the key of the work, a checksum of what follows, and what :func:`torch.save`
    makes of the state.

    Parameters
    ----------
    file : Path or None
        Where the state is kept. None keeps nothing.
    key : str or None
        A hash of all that the work depends on; what was kept under another is not found. None for
        a file that is named after it.
    """

    def __init__(self, file: Path | None = None, key: str | None = None) -> None:
        self.file = file
        self.key = file.name if key is None and file is not None else key or ""

    def load(self, progress: Callable[[str], None] = lambda _: None) -> Any:
        """Return the state kept last; None if there is none, of other work, or a damaged one.

        Parameters
        ----------
        progress : callable
            Is told of a damaged one.
        """
        if self.file is None or not self.file.is_file():
            return None
        head, _, rest = self.file.read_bytes().partition(b"\n")
        key, _, rest = rest.partition(b"\n")
        checksum, _, state = rest.partition(b"\n")
        if head + b"\n" != _HEAD or checksum != _checksum(key, state):
            progress(f"{self.file}: is damaged, or not from this version; all is done again")
            return None
        if key != self.key.encode():
            return None
        return torch.load(BytesIO(state), weights_only=True)

    def save(self, state: Any) -> None:
        """Keep a state of tensors, numbers, strings, lists and dicts."""
        if self.file is not None:
            buffer = BytesIO()  # torch.save hides a full disk behind an error of its own
            torch.save(state, buffer)
            key, kept = self.key.encode(), buffer.getvalue()
            content = _HEAD + key + b"\n" + _checksum(key, kept) + b"\n" + kept
            write_atomically(self.file, lambda temporary: temporary.write_bytes(content))

    def discard(self) -> None:
        """Forget the state, once the work is done."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def _checksum(key: bytes, state: bytes) -> bytes:
    return hashlib.sha256(key + b"\n" + state).hexdigest().encode()
