"""RayS, for models that give labels only."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

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
    first, last = (
        torch.tensor([*islice(_blocks(inputs.shape[1:].numel()), queries)]).to(labels.device).T
    )
    values = torch.arange(inputs.shape[1:].numel(), device=labels.device)
    near = eps if math.isfinite(eps) else 0.0
    found = inputs.clone()
    state = _State.start(inputs)
    here, images, y = model, inputs, labels
    while True:
        keep = (state.left > 0) | ((state.spent < queries) & (state.radius > near))
        if not bool(keep.all()):
            found[state.row] = _along(images, state.signs, state.radius.nan_to_num(posinf=0))
            state = state.of(keep)
            here, images, y = model.of(state.row), inputs[state.row], labels[state.row]
        if not len(state.row):
            return Ball(inputs, eps, norm).keep(found)
        turn = (values >= first[state.block, None]) & (values < last[state.block, None])
        turned = torch.where(turn, -state.signs, state.signs)
        bisects = state.left > 0
        length = torch.where(bisects, (state.low + state.high) / 2, state.radius.clamp_max(1))
        far = wrong_share(here, _along(images, turned, length), y, samples) > 0.5
        state = _asked(state, turned, bisects, length, far)


@dataclass(frozen=True)
class _State:
    """Where each image is that is still attacked.

    The best direction, the distance of the border along it, the points that were asked about, the
    block that is turned, and of a turn that came nearer, how many bisections are left, and between
    which lengths.
    """

    row: Tensor
    signs: Tensor
    radius: Tensor
    spent: Tensor
    block: Tensor
    left: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def start(cls, inputs: Tensor) -> "_State":
        """No direction known that leads to a border."""
        row = torch.arange(len(inputs), device=inputs.device)
        none, zero = torch.zeros_like(row), torch.zeros_like(row, dtype=inputs.dtype)
        signs = torch.ones_like(inputs).flatten(1)
        return cls(row, signs, zero + torch.inf, none, none, none, zero, zero)

    def of(self, keep: Tensor) -> "_State":
        """Some of the images."""
        return _State(*(t[keep] for t in vars(self).values()))


def _asked(state: _State, turned: Tensor, bisects: Tensor, length: Tensor, far: Tensor) -> _State:
    """What follows from one point of each image: the turn is bisected, taken, or let be."""
    high = torch.where(far, length, state.high)
    left = torch.where(bisects, state.left - 1, far * _HALVINGS)
    done = left == 0
    taken = bisects & done
    return replace(
        state,
        signs=torch.where(taken[:, None], turned, state.signs),
        radius=torch.where(taken, high, state.radius),
        spent=state.spent + 1,
        block=state.block + done,
        left=left,
        low=torch.where(bisects, torch.where(far, state.low, length), 0),
        high=high,
    )


def _along(images: Tensor, signs: Tensor, lengths: Tensor) -> Tensor:
    """Points so far from the images in such directions."""
    return (images + over_samples(lengths, images) * signs.view_as(images)).clamp(0, 1)


def _blocks(size: int) -> Iterator[tuple[int, int]]:
    """First and last but one value of each block: the whole, its halves, and so on."""
    level = 0
    while size:
        step = math.ceil(size / 2**level)
        yield from ((begin, min(begin + step, size)) for begin in range(0, size, step))
        level += step > 1
