"""Warm-up, then down a cosine."""

import math

from nenni.core.types import Fraction

__all__ = ["cosine"]


def cosine(step: int, steps: int, *, warmup: Fraction = 0.3) -> float:
    """Rise linearly over a share of the steps, then fall to 0 along half a cosine.

    Loshchilov, Hutter: SGDR, ICLR 2017, eq. 5, without restarts.

    Parameters
    ----------
    step, steps : int
        Steps done, and their number.
    warmup : float
        Share of the steps that rise.
    """
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 + 0.5 * math.cos(math.pi * (step - rising) / max(1.0, steps - rising))
