"""Hooks on modules, for a while."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch.utils.hooks import RemovableHandle


@contextmanager
def hooked(handles: Sequence[RemovableHandle]) -> Iterator[None]:
    """Hooks that run within and are removed afterwards, whatever happens."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
