"""Unfinished work, kept outside ``results/`` and found again only by exactly the same work."""

from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from nenni.core.io import write_atomically


class Checkpoint:
    """State of one long piece of work.

    Parameters
    ----------
    file : Path or None
        Where the state is kept; its name should contain a hash of all that the work depends on.
        None keeps nothing.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file

    def load(self) -> Any:
        """Return the state kept last, or None; a damaged file counts as none."""
        if self.file is None or not self.file.exists():
            return None
        try:
            return torch.load(self.file, weights_only=True)
        except Exception:
            return None

    def save(self, state: Any) -> None:
        """Keep a state of tensors, numbers, strings, lists and dicts."""
        if self.file is not None:
            buffer = BytesIO()  # torch.save hides a full disk behind an error of its own
            torch.save(state, buffer)
            write_atomically(self.file, lambda temporary: temporary.write_bytes(buffer.getvalue()))

    def discard(self) -> None:
        """Forget the state, once the work is done."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)
