"""Projected gradient descent."""

from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, unit
from nenni.adversary.gradient import frozen, mean_ascent, mean_logits
from nenni.adversary.judge import watched
from nenni.adversary.losses import objective
from nenni.core.keyed import Keyed
from nenni.core.types import Count, Loss, NonNegative, Norm, Passes, Positive

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
    leave_broken: bool = False,
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
    loss : "ce", "margin", "dlr" or "pm"
        What rises: see :mod:`nenni.adversary.losses`.
    steps : int
        Number of gradient steps.
    relative_step : float
        Total length of all steps, in units of eps.
    random_start : bool
        Start at a random point of the ball, or at the image.
    restarts : int
        So many runs. The one that ends worst counts; an image that is misclassified at the end of
        one is not attacked again, but by a randomised network.
    samples : int
        The gradient is a mean over so many passes: EOT, for a randomised network, or with `sigma`.
    sigma : float
        Deviation of Gaussian noise on the input of each pass: the gradient of the smoothed loss.
    leave_broken : bool
        An image that is misclassified at a step stays as it is and leaves the batch. Of a
        randomised network none does: one lucky draw says nothing.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted, judged=leave_broken)
    draws = Keyed.by_content(inputs, generator)
    step = relative_step * eps / steps

    def run(rows: Tensor, streams: Keyed) -> Tensor:
        here, y, ball = model.of(rows), labels[rows], Ball(inputs[rows], eps, norm)
        numbers = count(1)

        def rising(images: Tensor, left: Tensor) -> tuple[Tensor, Tensor | None]:
            at, noise = here.of(left), streams.of(left).at(next(numbers))
            away = objective(y[left], loss, targeted)
            gradient = mean_ascent(at, images, away, samples, sigma, noise).gradient
            return gradient, at.broken if leave_broken or model.leave else None

        start = ball.uniform(streams.at(0)) if random_start else ball.inputs
        return climb(start, ball, rising, steps, step)

    def distance(rows: Tensor, images: Tensor) -> Tensor:
        logits = mean_logits(model.of(rows), images, samples)
        return objective(labels[rows], "margin", targeted)(logits).double()

    active = torch.arange(len(inputs), device=inputs.device)
    with frozen(model):
        found = run(active, draws.at(0))
        if restarts == 1:
            return found
        worst = distance(active, found)
        for i in range(1, restarts):
            going = worst <= 0
            if model.randomised:
                going = torch.ones_like(going)
            elif leave_broken or model.leave:
                going &= ~model.broken
            rows = active[going]
            if not len(rows):
                break
            images = run(rows, draws.of(rows).at(i))
            reached = distance(rows, images)
            better = reached > worst[rows]
            found[rows[better]], worst[rows[better]] = images[better], reached[better]
    return found


def climb(
    images: Tensor,
    ball: Ball,
    rising: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]],
    steps: int,
    step: float,
) -> Tensor:
    """Take steps of one length along a gradient, staying in the ball.

    Parameters
    ----------
    images : Tensor
        Where to start.
    ball : Ball
        Where to stay.
    rising : callable
        Points of some of the images, and which images those are -> the gradient, and which of them
        stay as they are from now on (or None).
    steps, step : int, float
        Number and length.
    """
    found = images.clone()
    rows = torch.arange(len(images), device=images.device)
    for _ in range(steps):
        gradient, broken = rising(images, rows)
        if broken is not None and bool(broken.any()):
            found[rows[broken]] = images[broken]
            going = ~broken
            images, gradient, rows = images[going], gradient[going], rows[going]
            ball = ball.of(going)
            if not len(rows):
                break
        images = ball.project(images + step * unit(gradient, ball.norm))
    found[rows] = images
    return found
