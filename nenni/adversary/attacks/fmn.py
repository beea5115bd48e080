"""Fast minimum-norm attack."""

import math

import torch
from torch import Tensor, nn

from nenni.adversary.ball import length, over_samples, unit
from nenni.adversary.gradient import frozen, mean_ascent
from nenni.adversary.judge import watched
from nenni.adversary.losses import objective, succeeds
from nenni.adversary.smallest import Smallest
from nenni.core.keyed import Keyed
from nenni.core.types import Count, Norm, Passes, Positive, Ratio

__all__ = ["fmn"]

_LAST_STEP, _LAST_GAMMA = 0.01, 0.001
"""At the end: the step as a share of the first, and gamma."""


def fmn(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    steps: Count = 100,
    step: Positive = 1.0,
    gamma: Ratio = 0.05,
    samples: Passes = 1,
) -> Tensor:
    """Smallest perturbation: steps up the margin, kept in a ball whose radius follows the border.

    Pintor, Roli, Brendel, Biggio: Fast minimum-norm adversarial attacks through adaptive norm
    constraints, NeurIPS 2021, algorithm 1. The radius is multiplied by 1 - gamma where the image is
    misclassified and by 1 + gamma where not; before the first success it is the distance to the
    border of the linearised network, and as much longer, as on the border is not beyond it. Step
    and gamma fall along a cosine.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Decides nothing: the attack is deterministic.
    steps : int
        Number of gradient steps.
    step : float
        L2 length of the first, whatever the norm.
    gamma : float
        Change of the radius at first.
    samples : int
        The gradient is a mean over so many passes, for a randomised network.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted)
    draws, away = Keyed.by_content(inputs, generator), objective(labels, "margin", targeted)
    found, images = Smallest(inputs, norm), inputs
    radius = torch.full(labels.shape, torch.inf, dtype=torch.float64, device=labels.device)
    with frozen(model):
        for i in range(steps + 1):
            gradient, value, logits = mean_ascent(model, images, away, samples, 0.0, draws)
            adversarial = succeeds(logits, labels, targeted)
            found.offer(images, adversarial)
            if i == steps:
                break
            falling = (1 + math.cos(math.pi * i / steps)) / 2
            change = _LAST_GAMMA + (gamma - _LAST_GAMMA) * falling
            size = length(images - inputs, norm)
            dual = torch.linalg.vector_norm(gradient.flatten(1), 1 if norm == "linf" else 2, dim=1)
            border = size + value.abs() / dual.clamp_min(torch.finfo(dual.dtype).tiny)
            known = found.size.isfinite()
            nearer = torch.minimum(radius, found.size) * (1 - change)
            wider = torch.where(known, radius, border) * (1 + change)
            radius = torch.where(adversarial, nearer, wider)
            along = step * (_LAST_STEP + (1 - _LAST_STEP) * falling) * unit(gradient, "l2")
            images = _within(inputs, images + along, radius, norm)
    return found.within(eps)


def _within(inputs: Tensor, images: Tensor, radius: Tensor, norm: Norm) -> Tensor:
    """Into a ball of each image's own radius, and into [0, 1]."""
    limit, moved = over_samples(radius, inputs).to(inputs), images - inputs
    if norm == "linf":
        moved = torch.maximum(torch.minimum(moved, limit), -limit)
    else:
        tiny = torch.finfo(torch.float64).tiny
        share = radius / length(moved, "l2").clamp_min(tiny)
        moved = moved * over_samples(share.clamp_max(1), inputs).to(inputs)
    return (inputs + moved).clamp(0, 1)
