"""Evaluation mode for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode within; afterwards every module is in its own mode again."""
    training = [(m, m.training) for m in model.modules() if hasattr(m, "training")]
    model.eval()
    try:
        yield
    finally:
        for module, mode in training:
            module.training = mode
