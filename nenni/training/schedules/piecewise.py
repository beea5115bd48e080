"""Constant, then smaller at some points."""

from nenni.core.types import Fraction, Ratio

__all__ = ["piecewise"]


def piecewise(
    step: int,
    steps: int,
    *,
    milestones: list[Fraction] = [0.5, 0.75],  # noqa: B006 - read from the source as a default
    factor: Ratio = 0.1,
) -> float:
    """1, multiplied by a factor at each milestone.

    By default as Rice et al. (Overfitting in adversarially robust deep learning, ICML 2020) train:
    down tenfold after 100 and 150 of 200 epochs.

    Parameters
    ----------
    step, steps : int
        Steps done, and their number.
    milestones : list of float
        Shares of the steps.
    factor : float
        What the rate is multiplied by at each.
    """
    return factor ** sum(step >= share * steps for share in milestones)
