"""Carlini and Wagner's L2 attack."""

import math

import torch
from torch import Tensor, nn

from nenni.adversary.gradient import differentiable, frozen
from nenni.adversary.judge import watched
from nenni.adversary.losses import objective, succeeds
from nenni.adversary.smallest import Smallest
from nenni.core.fused_adam import fused_adam
from nenni.core.types import L2, Count, NonNegative, Passes, Positive

__all__ = ["cw_l2"]

_TANH, _INSIDE = 1 - 1e-6, 0.99
"""Factor of images in [-1, 1] before atanh, and where they are cut off, so that black and white can
still change: beyond, tanh is so flat that all steps together move a pixel by less than a grey."""


def cw_l2(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: L2 = "l2",
    targeted: bool = False,
    c: Positive = 0.01,
    searches: Count = 9,
    steps: Count = 200,
    lr: Positive = 0.01,
    confidence: NonNegative = 0.0,
    samples: Passes = 1,
) -> Tensor:
    """Minimise |x' - x|_2^2 + c max(-f(x'), -k), x' = (tanh(w) + 1) / 2, f the margin.

    Carlini, Wagner: Towards evaluating the robustness of neural networks, S&P 2017, sections V and
    VI: Adam on w, and a search for the c of each image, tenfold until it succeeds and then by
    halving the interval. Pixels start a 200th of the range away from black and white at least, from
    where tanh lets them move; w has single precision at least.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Decides nothing: the attack is deterministic.
    c : float
        Weight of the margin to begin with.
    searches : int
        Number of values of c; with 1, it stays as given.
    steps, lr : int, float
        Steps of Adam for each, and their rate.
    confidence : float
        K, the margin that is enough.
    samples : int
        The logits are a mean over so many passes, for a randomised network.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted)
    precision = torch.promote_types(inputs.dtype, torch.float32)
    start = ((2 * inputs.to(precision) - 1) * _TANH).clamp(-_INSIDE, _INSIDE).atanh()
    weight = torch.full((len(inputs),), c, device=inputs.device, dtype=precision)
    low, high = torch.zeros_like(weight), torch.full_like(weight, math.inf)
    found, away = Smallest(inputs, norm), objective(labels, "margin", targeted)
    with frozen(model):
        for _ in range(searches):
            w = start.clone().requires_grad_()
            optimiser = fused_adam([w], lr)
            succeeded = torch.zeros_like(weight, dtype=torch.bool)
            for step in range(steps + 1):
                points = (torch.tanh(w) + 1) / 2
                images = points.to(inputs.dtype)
                with model.one_point(images):
                    passes = [differentiable(model(images)) for _ in range(samples)]
                logits = torch.stack(passes).mean(0)
                adversarial = succeeds(logits.detach(), labels, targeted)
                found.offer(images.detach(), adversarial)
                succeeded |= adversarial
                if step == steps:
                    break
                shortfall = (-away(logits)).clamp_min(-confidence)
                squared = (points - inputs).square().flatten(1).sum(1)
                (w.grad,) = torch.autograd.grad((squared + weight * shortfall).sum(), w)
                optimiser.step()
            high = torch.where(succeeded, torch.minimum(high, weight), high)
            low = torch.where(succeeded, low, torch.maximum(low, weight))
            weight = torch.where(high.isfinite(), (low + high) / 2, 10 * weight)
    return found.within(eps)
