"""HopSkipJump, for models that give labels only."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, length, over_samples, unit
from nenni.adversary.judge import watched
from nenni.adversary.outputs import wrong_share
from nenni.core.keyed import Keyed
from nenni.core.types import Count, Norm, Passes

__all__ = ["hopskipjump"]

Beyond = Callable[[Tensor], Tensor]
"""Images -> which of them are misclassified, (N,) of bool."""
_TRIES = 100
"""Random images among which a misclassified one is looked for to start from."""
_HALVINGS = 20
"""Times that a step is halved to stay on the far side."""


@torch.no_grad()
def hopskipjump(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    steps: Count = 20,
    directions: Count = 100,
    samples: Passes = 1,
) -> Tensor:
    """Small perturbation by labels alone: along the border, by a gradient estimated at it.

    Chen, Jordan, Wainwright: HopSkipJumpAttack, S&P 2020, algorithm 2. The image is pulled to the
    border by bisection; the normal there is the mean of Gaussian directions, each with the sign of
    its side (eq. 16); the step along it, distance / sqrt(t), is halved until it stays on the far
    side. The first start is a random image that is misclassified.

    Parameters
    ----------
    model, inputs, labels, eps, norm
        See :mod:`nenni.adversary.attacks`; untargeted only. The model may return labels (N,) or
        logits.
    generator : Generator
        Draws the start and the directions.
    steps : int
        T, of which step t costs directions * sqrt(t) passes and those of the searches.
    directions : int
        Directions of the first step.
    samples : int
        A point of a randomised network is on the far side where most of so many passes say so.
    """
    model = watched(model, inputs, labels, eps, norm)
    streams = Keyed.by_content(inputs, generator)
    d = max(1, inputs[:1].numel())
    theta = 1 / (d * math.sqrt(d)) if norm == "l2" else 1 / d**2

    def beyond(images: Tensor) -> Tensor:
        return wrong_share(model, images, labels, samples) > 0.5

    if not len(inputs):
        return inputs.clone()
    images = _start(beyond, inputs, streams.at(0))
    images = _to_border(beyond, inputs, images, theta, norm)
    for t in range(1, steps + 1):
        distance = length(images - inputs, norm).to(inputs)
        if t == 1:
            radius = torch.full_like(distance, 0.1)
        else:
            radius = theta * (d if norm == "linf" else math.sqrt(d)) * distance
        normal = _normal(beyond, images, radius, int(directions * math.sqrt(t)), streams.at(t))
        images = _step(beyond, images, unit(normal, norm), distance / math.sqrt(t))
        images = _to_border(beyond, inputs, images, theta, norm)
    good = beyond(images) & ~beyond(inputs)
    return Ball(inputs, eps, norm).keep(torch.where(over_samples(good, images), images, inputs))


def _start(beyond: Beyond, inputs: Tensor, streams: Keyed) -> Tensor:
    """A random image that is misclassified, where one is found."""
    images = inputs.clone()
    missing = ~beyond(inputs)
    for i in range(_TRIES):
        if not bool(missing.any()):
            break
        u = streams.at(i).uniform(*inputs.shape[1:])
        found = missing & beyond(u)
        images = torch.where(over_samples(found, u), u, images)
        missing &= ~found
    return images


def _to_border(beyond: Beyond, inputs: Tensor, images: Tensor, theta: float, norm: Norm) -> Tensor:
    """The misclassified point nearest to the inputs between these and the images, by bisection.

    Under L2 along the line, under L-inf by clipping the perturbation (section 4.2).
    """
    distance = length(images - inputs, norm).to(inputs)
    low, high = torch.zeros_like(distance), torch.ones_like(distance)

    def between(share: Tensor) -> Tensor:
        if norm == "l2":
            return torch.lerp(inputs, images, over_samples(share, inputs))
        limit = over_samples(share * distance, inputs)
        return torch.minimum(torch.maximum(images, inputs - limit), inputs + limit)

    for _ in range(math.ceil(math.log2(1 / theta))):
        middle = (low + high) / 2
        far = beyond(between(middle))
        high, low = torch.where(far, middle, high), torch.where(far, low, middle)
    return torch.where(over_samples(high < 1, images), between(high), images)


def _normal(
    beyond: Beyond, images: Tensor, radius: Tensor, directions: int, streams: Keyed
) -> Tensor:
    """Direction into the misclassified region, from the sides of random points (eq. 16)."""
    signed, plain = torch.zeros_like(images), torch.zeros_like(images)
    balance = torch.zeros_like(radius)
    radius = over_samples(radius.clamp_min(torch.finfo(radius.dtype).tiny), images)
    for i in range(directions):
        u = unit(streams.at(i).normal(*images.shape[1:]), "l2")
        points = (images + radius * u).clamp(0, 1)
        u = (points - images) / radius
        side = 2 * beyond(points).to(images) - 1
        signed += over_samples(side, u) * u
        plain += u
        balance += side / directions
    mixed = over_samples(balance.abs() < 1, images)
    return torch.where(mixed, signed - over_samples(balance, plain) * plain, signed)


def _step(beyond: Beyond, images: Tensor, direction: Tensor, size: Tensor) -> Tensor:
    """As far along the direction as stays misclassified, in halves of the size."""
    found, missing = images, torch.ones_like(size, dtype=torch.bool)
    for _ in range(_HALVINGS):
        there = (images + over_samples(size, images) * direction).clamp(0, 1)
        good = missing & beyond(there)
        found = torch.where(over_samples(good, images), there, found)
        missing &= ~good
        if not bool(missing.any()):
            break
        size = torch.where(missing, size / 2, size)
    return found
