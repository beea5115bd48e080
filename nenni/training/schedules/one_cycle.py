"""Up and down once."""

from nenni.core.types import Fraction

__all__ = ["one_cycle"]


def one_cycle(step: int, steps: int, *, peak: Fraction = 0.4) -> float:
    """Rise linearly from 0 to 1 at a share of the steps, then fall linearly to 0.

    Smith, Topin: Super-convergence, 2018, without its last phase, as Wong et al. (ICLR 2020) train.

    Parameters
    ----------
    step, steps : int
        Steps done, and their number.
    peak : float
        Share of the steps before the peak.
    """
    top = peak * steps
    if step < top:
        return (step + 1) / (top + 1)
    return (steps - step) / max(1.0, steps - top)
