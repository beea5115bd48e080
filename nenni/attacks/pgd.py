"""Projected gradient descent under L-inf."""

import torch
from torch import Tensor, nn

from nenni.attacks._linf import ball, frozen, loss_gradient, uniform_in
from nenni.types import Count, Positive

__all__ = ["pgd"]


def pgd(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    steps: Count = 20,
    relative_step: Positive = 2.5,
    random_start: bool = True,
) -> Tensor:
    """X <- clip(x + a sign(dL/dx)) from a random start, the last iterate.

    Madry et al.: Towards deep learning models resistant to adversarial attacks, ICLR 2018,
    section 2.1. The step is in proportion to eps, a = relative_step * eps / steps, so that
    accuracy can be compared across eps.

    Parameters
    ----------
    model : Module
        Classifier of images (N, C, H, W) in [0, 1], giving logits (N, classes).
    inputs, labels : Tensor
        Images and their classes (N,).
    eps : float
        L-inf radius, in units of the [0, 1] input.
    generator : Generator
        Draws the start.
    steps : int
        Number of gradient steps.
    relative_step : float
        Total length of all steps, in units of eps.
    random_start : bool
        Start uniformly in the ball, or at the image.
    """
    low, high = ball(inputs, eps)
    step = relative_step * eps / steps
    images = uniform_in(low, high, generator) if random_start else inputs
    with frozen(model):
        for _ in range(steps):
            ascent = images + step * loss_gradient(model, images, labels).sign()
            images = torch.minimum(torch.maximum(ascent, low), high)
    return images
