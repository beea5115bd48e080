"""Projected gradient descent."""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, unit
from nenni.adversary.gradient import ascent, frozen, mean_ascent
from nenni.adversary.losses import objective, succeeds
from nenni.core.errors import UserError
from nenni.core.types import Count, Loss, NonNegative, Norm, OnRandomised, Passes, Positive

__all__ = ["pgd"]


def pgd(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    loss: Loss = "ce",
    steps: Count = 20,
    relative_step: Positive = 2.5,
    random_start: bool = True,
    restarts: Count = 1,
    samples: Passes = 1,
    sigma: NonNegative = 0.0,
    leave_broken: Annotated[bool, OnRandomised(False)] = False,
) -> Tensor:
    """X <- project(x + a sign(dL/dx)) from a random start, the last iterate.

    Madry et al.: Towards deep learning models resistant to adversarial attacks, ICLR 2018,
    section 2.1. The step is in proportion to eps, a = relative_step * eps / steps, so that
    accuracy can be compared across eps. Under L2 the sign is g / |g|.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Draws the starts, and the noise on the input.
    loss : "ce", "margin" or "dlr"
        What rises: see :mod:`nenni.adversary.losses`.
    steps : int
        Number of gradient steps.
    relative_step : float
        Total length of all steps, in units of eps.
    random_start : bool
        Start at a random point of the ball, or at the image.
    restarts : int
        So many runs; an image that is misclassified after one is not attacked again.
    samples : int
        The gradient is a mean over so many passes: EOT, for a randomised network, or with `sigma`.
    sigma : float
        Deviation of Gaussian noise on the input of each pass: the gradient of the smoothed loss.
    leave_broken : bool
        An image that is misclassified at a step stays as it is and leaves the batch. Not for a
        randomised network, where one lucky draw says nothing.

    Raises
    ------
    UserError
        For `leave_broken` together with an averaged gradient, or a model without gradients.
    """
    averaged = samples > 1 or sigma > 0
    if leave_broken and averaged:
        raise UserError("leave_broken judges single passes: it goes with samples 1 and sigma 0")

    def rising(images: Tensor, y: Tensor) -> tuple[Tensor, Tensor | None]:
        away = objective(y, loss, targeted)
        if averaged:
            return mean_ascent(model, images, away, samples, sigma, generator), None
        gradient, logits = ascent(model, images, away)
        return gradient, succeeds(logits, y, targeted) if leave_broken else None

    step = relative_step * eps / steps
    found = inputs.clone()
    active = torch.arange(len(inputs), device=inputs.device)
    with frozen(model):
        for left in reversed(range(restarts)):
            ball, y = Ball(inputs[active], eps, norm), labels[active]
            images = ball.uniform(generator) if random_start else ball.inputs
            found[active] = images = climb(images, y, ball, rising, steps, step)
            if left:
                active = active[~succeeds(model(images), y, targeted)]
    return found


def climb(
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    rising: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]],
    steps: int,
    step: float,
) -> Tensor:
    """Take steps of one length along a gradient, staying in the ball.

    Parameters
    ----------
    images, labels : Tensor
        Where to start, and the classes.
    ball : Ball
        Where to stay.
    rising : callable
        Images and labels -> the gradient, and which images stay as they are from now on (or None).
    steps, step : int, float
        Number and length.
    """
    found = images.clone()
    rows = torch.arange(len(images), device=images.device)
    for _ in range(steps):
        gradient, broken = rising(images, labels)
        if broken is not None and bool(broken.any()):
            found[rows[broken]] = images[broken]
            going = ~broken
            images, gradient, labels, rows = (
                part[going] for part in (images, gradient, labels, rows)
            )
            ball = ball.of(going)
            if not len(rows):
                break
        images = ball.project(images + step * unit(gradient, ball.norm))
    found[rows] = images
    return found
