"""Carlini and Wagner's margin loss under L-inf."""

import torch
from torch import Tensor, nn

from nenni.adversary.attacks.pgd import pgd
from nenni.core.types import Count, LInf, Passes, Positive

__all__ = ["cw_linf"]


def cw_linf(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: LInf = "linf",
    targeted: bool = False,
    steps: Count = 30,
    relative_step: Positive = 7.5,
    restarts: Count = 1,
    samples: Passes = 1,
) -> Tensor:
    """PGD on the margin max_(i != y) z_i - z_y.

    The margin is f_6 of Carlini, Wagner: Towards evaluating the robustness of neural networks, S&P
    2017; Madry et al. (ICLR 2018, section 5) raise it by PGD, which papers on adversarial training
    call CW under L-inf, by habit in 30 steps.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Draws the starts.
    steps, relative_step, restarts, samples
        See :func:`nenni.adversary.attacks.pgd.pgd`.
    """
    return pgd(
        model, inputs, labels, eps, generator, norm=norm, targeted=targeted, loss="margin",
        steps=steps, relative_step=relative_step, restarts=restarts, samples=samples,
    )  # fmt: skip
