"""Decoupled direction and norm."""

import math

import torch
from torch import Tensor, nn

from nenni.adversary.ball import over_samples, unit
from nenni.adversary.gradient import frozen, mean_ascent
from nenni.adversary.judge import watched
from nenni.adversary.losses import objective, succeeds
from nenni.adversary.smallest import Smallest
from nenni.core.keyed import Keyed
from nenni.core.types import L2, Count, Passes, Positive, Ratio

__all__ = ["ddn"]


def ddn(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: L2 = "l2",
    targeted: bool = False,
    steps: Count = 100,
    gamma: Ratio = 0.05,
    first_norm: Positive = 1.0,
    samples: Passes = 1,
) -> Tensor:
    """Smallest L2 perturbation: a step along g / |g|, then onto a sphere that shrinks or grows.

    Rony et al.: Decoupling direction and norm for efficient gradient-based L2 adversarial attacks
    and defenses, CVPR 2019, algorithm 1, without its rounding to 8 bits: the radius is multiplied
    by 1 - gamma where the image is misclassified and by 1 + gamma where not; the step goes from 1
    to 0.01 along a cosine.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Decides nothing: the attack is deterministic.
    steps : int
        Number of gradient steps.
    gamma : float
        Change of the radius at each.
    first_norm : float
        Radius to begin with, in units of the [0, 1] input.
    samples : int
        The gradient is a mean over so many passes, for a randomised network.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted)
    draws = Keyed.by_content(inputs, generator)
    away = objective(labels, "ce", targeted)
    radius = torch.full((len(inputs),), first_norm, device=inputs.device, dtype=inputs.dtype)
    found, images = Smallest(inputs, norm), inputs
    with frozen(model):
        for i in range(steps + 1):
            gradient, _, logits = mean_ascent(model, images, away, samples, 0.0, draws)
            adversarial = succeeds(logits, labels, targeted)
            found.offer(images, adversarial)
            if i == steps:
                break
            step = 0.01 + 0.99 * (1 + math.cos(math.pi * i / steps)) / 2
            moved = images + step * unit(gradient, norm) - inputs
            radius = radius * torch.where(adversarial, 1 - gamma, 1 + gamma).to(radius)
            images = (inputs + over_samples(radius, moved) * unit(moved, norm)).clamp(0, 1)
    return found.within(eps)
