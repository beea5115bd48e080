"""RayS, for models that give labels only."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, over_samples
from nenni.adversary.judge import watched
from nenni.adversary.outputs import wrong_share
from nenni.core.types import Count, LInf, Passes

__all__ = ["rays"]

_HALVINGS = 10
"""Bisections of a radius, after which a thousandth of it is left."""


@torch.no_grad()
def rays(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: LInf = "linf",
    queries: Count = 500,
    samples: Passes = 1,
) -> Tensor:
    """Search among the directions {-1, +1}^d for the one whose border is nearest, by labels alone.

    Chen, Gu: RayS, KDD 2020, algorithms 2 and 3: the signs of one block of values after another
    are turned, of blocks that are halved again and again. A turn stays where the border along the
    new ray is nearer, which one point at the old radius tells; its distance is then bisected. An
    image whose border is within eps leaves the batch.

    Parameters
    ----------
    model, inputs, labels, eps, norm
        See :mod:`nenni.adversary.attacks`; untargeted only. The model may return labels (N,) or
        logits.
    generator : Generator
        Decides nothing: the attack is deterministic.
    queries : int
        Points per image after which no more blocks are turned.
    samples : int
        A point of a randomised network is misclassified where most of so many passes say so.
    """
    model = watched(model, inputs, labels, eps, norm)
    signs = torch.ones_like(inputs).flatten(1)
    radius = torch.full_like(labels, torch.inf, dtype=inputs.dtype)
    spent = torch.zeros_like(labels)

    def point(rows: Tensor, directions: Tensor, lengths: Tensor) -> Tensor:
        moved = over_samples(lengths, inputs) * directions.view(-1, *inputs.shape[1:])
        return (inputs[rows] + moved).clamp(0, 1)

    def wrong(rows: Tensor, directions: Tensor, lengths: Tensor) -> Tensor:
        spent[rows] += 1
        images = point(rows, directions, lengths)
        return wrong_share(model.of(rows), images, labels[rows], samples) > 0.5

    def border(rows: Tensor, directions: Tensor, high: Tensor) -> Tensor:
        low = torch.zeros_like(high)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            far = wrong(rows, directions, middle)
            high, low = torch.where(far, middle, high), torch.where(far, low, middle)
        return high

    near = eps if math.isfinite(eps) else 0.0
    for begin, end in _blocks(signs.shape[1]):
        rows = ((spent < queries) & (radius > near)).nonzero()[:, 0]
        if not len(rows):
            break
        turned, known = signs[rows], radius[rows].clamp_max(1)
        turned[:, begin:end] *= -1
        nearer = wrong(rows, turned, known)
        rows, turned, known = rows[nearer], turned[nearer], known[nearer]
        if len(rows):
            signs[rows], radius[rows] = turned, border(rows, turned, known)
    whole = torch.arange(len(inputs), device=inputs.device)
    found = point(whole, signs, radius.nan_to_num(posinf=0))
    return Ball(inputs, eps, norm).keep(found)


def _blocks(size: int) -> Iterator[tuple[int, int]]:
    """First and last but one value of each block: the whole, its halves, and so on."""
    level = 0
    while size:
        step = math.ceil(size / 2**level)
        yield from ((begin, min(begin + step, size)) for begin in range(0, size, step))
        level += step > 1
