"""Square attack."""

import math
from functools import cache
from typing import Annotated

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, over_samples, unit
from nenni.adversary.gradient import mean_logits
from nenni.adversary.judge import Watched, watched
from nenni.adversary.losses import objective
from nenni.core.errors import UserError
from nenni.core.keyed import Keyed
from nenni.core.square_root import square_root
from nenni.core.types import Count, Norm, OnRandomised, Passes, Ratio

__all__ = ["square"]

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries of 10,000 after which the share of changed pixels is halved (section 3.1)."""
_AHEAD = 100
"""Queries whose draws are made at once."""


@torch.no_grad()
def square(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    queries: Annotated[Count, OnRandomised(5000)] = 1000,
    share: Ratio = 0.8,
    samples: Passes = 1,
) -> Tensor:
    """Random search over square windows, by the logits alone.

    Andriushchenko, Croce, Flammarion, Hein: Square attack, ECCV 2020, algorithms 1 to 3. A change
    of a window stays where it lowers the margin of the label; an image that is misclassified
    leaves the batch, but of a randomised network, of which the mean margin is compared.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`. No gradient is taken.
    generator : Generator
        Draws windows and signs.
    queries : int
        Passes per image, of which each point of a randomised network takes as many as `samples`.
    share : float
        Share of the pixels that a window changes at first.
    samples : int
        The margin is a mean over so many passes, for a randomised network.

    Raises
    ------
    UserError
        If the model returns labels, which tell nothing on the way.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted)
    streams = Keyed.by_content(inputs, generator)
    found = inputs.clone()
    row, at, current = torch.arange(len(inputs), device=inputs.device), model, inputs
    y, ball, drawn = labels, Ball(inputs, eps, norm), list[Tensor]()
    best = torch.full((len(inputs),), torch.inf, device=inputs.device, dtype=inputs.dtype)
    points = max(1, queries // (samples if model.randomised else 1))
    start, propose = (_stripes, _square_linf) if norm == "linf" else (_tiles, _square_l2)
    for point in range(points):
        if not len(row):
            break
        if point == 0:
            proposed = start(ball, streams.at(0))
        else:
            if point % _AHEAD == 1:
                ahead = range(point, min(point + _AHEAD, points))
                sides = [_side(share, p / points, inputs.shape[-2:], norm) for p in ahead]
                drawn = _drawn(streams.of(row).each(ahead), sides, inputs.shape[1:], norm)
            query = (point - 1) % _AHEAD
            proposed = propose(current, ball, sides[query], *(draw[:, query] for draw in drawn))
        proposed = ball.project(proposed)
        value = _margin(at, proposed, y, targeted, samples).to(best)
        better = value < best
        current = torch.where(over_samples(better, current), proposed, current)
        best = torch.where(better, value, best)
        going = best >= 0
        if model.randomised or bool(going.all()):
            continue
        found[row] = current
        row, current, best = row[going], current[going], best[going]
        at, y, ball = model.of(row), labels[row], ball.of(going)
        drawn = [draw[going] for draw in drawn]
    found[row] = current
    return found


def _margin(model: Watched, images: Tensor, labels: Tensor, targeted: bool, samples: int) -> Tensor:
    """Below 0 where the attack has succeeded; not numbers count as infinite."""
    logits = mean_logits(model, images, samples)
    if not logits.is_floating_point() or logits.dim() != 2:
        raise UserError(
            "square needs scores (N, classes), and the model returns labels: use rays, hopskipjump "
            "or random_noise"
        )
    value = -objective(labels, "margin", targeted)(logits)
    return value.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _side(share: float, progress: float, size: torch.Size, norm: Norm) -> int:
    """Side of the window, whose area is a share of the image's; for L2 odd, and 3 or more."""
    halvings = sum(10_000 * progress > q for q in _HALVINGS)
    height, width = size
    side = round(math.sqrt(share / 2**halvings * height * width))
    if norm == "l2":
        side = max(3, side + 1 - side % 2)
    return max(1, min(side, height, width))


def _drawn(streams: Keyed, sides: list[int], shape: torch.Size, norm: Norm) -> list[Tensor]:
    """What the queries of such sides draw: windows and signs, and for L2 how the bumps lie."""
    channels, height, width = shape
    device = streams.keys.device
    side = torch.tensor(sides).to(device)

    def corner(draws: Keyed) -> tuple[Tensor, Tensor]:
        rows, columns = draws.at(0), draws.at(1)
        return rows.integers(height - side + 1), columns.integers(width - side + 1)

    def within(first: Tensor, size: int) -> Tensor:
        places = torch.arange(size, device=device)
        return (places >= first[..., None]) & (places < (first + side)[..., None])

    if norm == "linf":
        top, left = corner(streams)
        signs = streams.at(2).signs(channels, 1, 1)
        return [within(top, height), within(left, width), signs]
    bumps = streams.at(4).integers(2), streams.at(5).signs(channels, 1, 1)
    return [*corner(streams.at(2)), *corner(streams.at(3)), *bumps]


def _window(top: Tensor, left: Tensor, side: int, channels: int) -> tuple[Tensor, ...]:
    """Index of a window of each image, of shape (N, C, side, side)."""
    along = torch.arange(side, device=top.device)
    return (
        torch.arange(len(top), device=top.device)[:, None, None, None],
        torch.arange(channels, device=top.device)[None, :, None, None],
        (top[:, None] + along)[:, None, :, None],
        (left[:, None] + along)[:, None, None, :],
    )


def _stripes(ball: Ball, draws: Keyed) -> Tensor:
    """Vertical stripes at the border of the ball."""
    _, channels, _, width = ball.inputs.shape
    return ball.inputs + ball.eps * draws.signs(channels, 1, width)


def _square_linf(
    current: Tensor, ball: Ball, _: int, rows: Tensor, columns: Tensor, signs: Tensor
) -> Tensor:
    """A window of each image at a corner of the ball, per channel (algorithm 2)."""
    window = rows[:, None, :, None] & columns[:, None, None, :]
    return torch.where(window, ball.inputs + ball.eps * signs, current)


def _tiles(ball: Ball, draws: Keyed) -> Tensor:
    """Bumps in a grid of windows, as large as the ball allows."""
    _, channels, height, width = ball.inputs.shape
    side = max(1, min(height, width) // 5)
    noise = torch.zeros_like(ball.inputs)
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            here = draws.at(top * width + left)
            bumps = _bumps(side, here.at(0).integers(2), here.at(1).signs(channels, 1, 1))
            noise[:, :, top : top + side, left : left + side] = bumps
    return ball.inputs + ball.eps * unit(noise, "l2")


def _square_l2(
    current: Tensor,
    ball: Ball,
    side: int,
    top: Tensor,
    left: Tensor,
    other_top: Tensor,
    other_left: Tensor,
    lying: Tensor,
    signs: Tensor,
) -> Tensor:
    """One window's share of the norm goes to a bump in another (algorithm 3)."""
    channels = current.shape[1]
    moved = current - ball.inputs
    gains = _window(top, left, side, channels)
    loses = _window(other_top, other_left, side, channels)
    old = moved[gains]
    spent = moved.square().flatten(1).sum(1)
    moved[gains] = 0
    moved[loses] = 0
    kept = moved.square().flatten(1).sum(1)
    left = (ball.eps**2 - spent).clamp_min(0) + (spent - kept).clamp_min(0)
    direction = _bumps(side, lying, signs) + _per_channel_unit(old)
    moved[gains] = over_samples(square_root(left / channels), current) * _per_channel_unit(
        direction
    )
    return ball.inputs + moved


def _per_channel_unit(x: Tensor) -> Tensor:
    lengths = square_root(x.square().sum((2, 3), keepdim=True))
    return x / lengths.clamp_min(torch.finfo(x.dtype).tiny)


def _bumps(side: int, lying: Tensor, signs: Tensor) -> Tensor:
    """The paper's eta, (n, C, side, side): two opposite heaps of norm 1, upright or lying."""
    return _eta(side).to(signs)[lying][:, None] * signs


@cache
def _eta(side: int) -> Tensor:
    half = side // 2
    bump = torch.cat([_heap(half, side), -_heap(side - half, side)])
    bump = bump / bump.norm()
    return torch.stack([bump, bump.T])


def _heap(height: int, width: int) -> Tensor:
    """Sum of nested rectangles, each of the height 1 / (rank + 1)^2 (section 3.3)."""
    heap = torch.zeros(height, width)
    centre_row, centre_column = height // 2, width // 2
    for rank in range(max(height, width) // 2 + 1):
        heap[
            max(centre_row - rank, 0) : min(centre_row + rank, height - 1) + 1,
            max(centre_column - rank, 0) : min(centre_column + rank, width - 1) + 1,
        ] += 1 / (rank + 1) ** 2
    return heap
