"""Masks that are soft when a training begins, and hard from three quarters of its steps on."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from nenni.method.injection import on_path

HARD_FROM = 0.75
"""Share of the steps from which masks are hard, as they are at test time."""


def temperature(start: float, step: int, steps: int) -> float:
    """Width of the soft masks at a step, falling linearly from `start` to 0, which is hard.

    Parameters
    ----------
    start : float
        In standard deviations of a sample's scores, as of
        :func:`nenni.method.score.soft_step`.
    step, steps : int
        Number of the step, from 0, and how many there are.
    """
    return start * max(0.0, 1 - step / (HARD_FROM * steps))


@contextmanager
def softened(model: nn.Module, width: float) -> Iterator[None]:
    """Within, injected layers mix their paths by soft masks of this width; by hard ones at 0.

    An attack through a surrogate keeps that surrogate's own path.
    """
    if width == 0:
        yield
        return
    with on_path(model, "soft", width):
        yield
