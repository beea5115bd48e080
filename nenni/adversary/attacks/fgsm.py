"""Fast gradient sign method."""

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, unit
from nenni.adversary.gradient import frozen, mean_ascent
from nenni.adversary.judge import watched
from nenni.adversary.losses import objective
from nenni.core.keyed import Keyed
from nenni.core.types import Loss, Norm, Passes

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
    samples: Passes = 1,
) -> Tensor:
    """X' = x + eps sign(dL/dx), or x + eps g / |g| for L2 with g = dL/dx.

    Goodfellow, Shlens, Szegedy: Explaining and harnessing adversarial examples, ICLR 2015, eq. 1.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Decides nothing: the attack is deterministic.
    loss : "ce", "margin", "dlr" or "pm"
        What rises: see :mod:`nenni.adversary.losses`.
    samples : int
        The gradient is a mean over so many passes, for a randomised network.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted)
    draws = Keyed.by_content(inputs, generator)
    with frozen(model):
        away = objective(labels, loss, targeted)
        gradient = mean_ascent(model, inputs, away, samples, 0.0, draws).gradient
    return Ball(inputs, eps, norm).project(inputs + eps * unit(gradient, norm))
