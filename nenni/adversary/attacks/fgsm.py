"""Fast gradient sign method."""

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, unit
from nenni.adversary.gradient import ascent, frozen
from nenni.adversary.losses import objective
from nenni.core.types import Loss, Norm

__all__ = ["fgsm"]


def fgsm(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    loss: Loss = "ce",
) -> Tensor:
    """X' = x + eps sign(dL/dx), or x + eps g / |g| for L2 with g = dL/dx.

    Goodfellow, Shlens, Szegedy: Explaining and harnessing adversarial examples, ICLR 2015, eq. 1.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Not used: the attack is deterministic.
    loss : "ce", "margin" or "dlr"
        What rises: see :mod:`nenni.adversary.losses`.
    """
    with frozen(model):
        gradient, _ = ascent(model, inputs, objective(labels, loss, targeted))
    return Ball(inputs, eps, norm).project(inputs + eps * unit(gradient, norm))
