"""Hooks on modules, for a while."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn
from torch.utils.hooks import RemovableHandle


@contextmanager
def hooked(handles: Sequence[RemovableHandle]) -> Iterator[None]:
    """Hooks that run within and are removed afterwards, whatever happens."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def has_hooks(module: nn.Module) -> bool:
    """Whether anything runs before or after a module's own forward or backward pass."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, kind) for kind in kinds)
