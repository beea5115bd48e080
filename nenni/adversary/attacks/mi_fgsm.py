"""Momentum iterative FGSM."""

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, over_samples, unit
from nenni.adversary.gradient import frozen, mean_ascent
from nenni.adversary.judge import watched
from nenni.adversary.losses import objective
from nenni.core.keyed import Keyed
from nenni.core.types import Count, Loss, NonNegative, Norm, Passes, Positive

__all__ = ["mi_fgsm"]


def mi_fgsm(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    loss: Loss = "ce",
    steps: Count = 10,
    relative_step: Positive = 1.0,
    decay: NonNegative = 1.0,
    samples: Passes = 1,
) -> Tensor:
    """G <- mu g + dL/dx / |dL/dx|_1;  x <- project(x + a sign(g)), under L2 a g / |g|.

    Dong et al.: Boosting adversarial attacks with momentum, CVPR 2018, algorithm 1.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Decides nothing: the attack is deterministic.
    loss, steps, relative_step
        See :func:`nenni.adversary.attacks.pgd.pgd`.
    decay : float
        Mu, the weight of the gradients before.
    samples : int
        The gradient is a mean over so many passes, for a randomised network.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted)
    draws = Keyed.by_content(inputs, generator)
    ball = Ball(inputs, eps, norm)
    away = objective(labels, loss, targeted)
    images, momentum = inputs, torch.zeros_like(inputs)
    with frozen(model):
        for _ in range(steps):
            gradient = mean_ascent(model, images, away, samples, 0.0, draws).gradient
            size = torch.linalg.vector_norm(gradient.flatten(1), 1, dim=1)
            size = size.clamp_min(torch.finfo(size.dtype).tiny)
            momentum = decay * momentum + gradient / over_samples(size, gradient)
            step = relative_step * eps / steps * unit(momentum, norm)
            images = ball.project(images + step)
    return images
