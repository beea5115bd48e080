"""Whether a network remembers what it was asked, and answers by that, or by chance."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nenni.adversary.ball import length
from nenni.adversary.outputs import changed
from nenni.core.seeding import seeded
from nenni.core.types import Norm
from nenni.networks.copying import copied

_TRIAL = 32
"""Images that are looked at."""
_NEAR = (0.01, 0.03, 0.1, 0.3)
"""How far from an image a network is asked that has seen the image before."""
_STEPS = (16, 64)
"""Steps at least and at most from one image to another."""
_REPEATS = 8
"""Copies by which chance is told from memory."""
_EXACTLY = 1e-4
"""Share of the outputs' spread by which an answer to the same batch may change."""


@torch.no_grad()
def found_in_answers(
    pristine: nn.Module, images: Tensor, *, eps: float, norm: Norm, randomised: bool = False
) -> Literal["memory", "chance"] | None:
    """What else than the image decides the answers of a network, if anything.

    One copy is asked about images and then near them, and on the way from some images to others in
    steps of half of eps, which crosses from class to class: a memory that shields a ball takes the
    answer from before the crossing along. Other copies, that saw nothing, are asked about the same
    points in the same batch. Where these differ among themselves it is chance.

    Parameters
    ----------
    pristine : Module
        Copies of it are asked.
    images : Tensor
        Images (N, C, H, W) in [0, 1].
    eps, norm : float, "linf" or "l2"
        The ball.
    randomised : bool
        It is known to draw from torch's global state, which is then the same for all copies.
    """
    asked_with = partial(seeded, "memory") if randomised else nullcontext
    images = images[:_TRIAL]
    draws = torch.Generator(images.device).manual_seed(0)
    u = torch.rand(images.shape, generator=draws, device=images.device).to(images)
    walking = copied(pristine)
    asked = [(walking, points) for points in _walk(images, eps, norm)]
    for away in _NEAR:
        asked_before = copied(pristine)
        _answer(asked_before, images, asked_with)
        asked.append((asked_before, (images + away * (2 * u - 1)).clamp(0, 1)))
    for network, points in asked:
        fresh = copied(pristine)
        first = _answer(fresh, points, asked_with)

        def otherwise(network: nn.Module, first: Tensor = first, points: Tensor = points) -> bool:
            return bool(changed(first, _answer(network, points, asked_with), _EXACTLY).any())

        if any(otherwise(again) for again in (network, fresh)):
            by_chance = any(otherwise(copied(pristine)) for _ in range(_REPEATS))
            return "chance" if by_chance else "memory"
    return None


def _walk(images: Tensor, eps: float, norm: Norm) -> Iterator[Tensor]:
    """Points on the way from the first half of some images to the other half."""
    k = len(images) // 2
    starts, way = images[:k], images[k : 2 * k] - images[:k]
    far = float(length(way, norm).max()) if k else 0.0
    fewest, most = _STEPS
    steps = math.ceil(min(most, max(fewest, 2 * far / eps))) if eps else fewest
    for step in range(steps + 1 if k else 0):
        yield (starts + step / steps * way).clamp(0, 1)


def _answer(
    network: nn.Module, points: Tensor, within: Callable[[], AbstractContextManager[None]]
) -> Tensor:
    with within():
        return network(points.clone())  # type: ignore[no-any-return]
