"""Exact top-k masks and their borders, shared by the selections that rank."""

import math

import numpy as np
import torch
from torch import Tensor

from nenni.core.runtime import may_look
from nenni.method.fused.top_k import numbers, select

_LONG_ROW = 8192
"""From this length on, narrowing the search down first is the fastest."""
_SAMPLE = 512
"""Numbers of a row in the sample that brackets the border."""


def largest(score: Tensor, fraction: float) -> Tensor:
    """Mask of the round(fraction * size) largest neurons of each sample of a score (N, ...).

    The count holds exactly whatever the ties. A NaN ranks below every number.
    """
    score = score.detach()
    order = _memory_order(score)
    mask = top_k(score.permute(order).flatten(1), fraction)
    shape = [score.shape[i] for i in order]
    return mask.view(shape).permute([order.index(i) for i in range(len(order))])


def top_k(rows: Tensor, fraction: float) -> Tensor:
    """Mask of the round(fraction * n) largest numbers of each row of (N, n); NaN ranks last."""
    n = int(rows.shape[1])  # which is a tensor where a pass is traced
    k = round(fraction * n)
    if not may_look(rows):
        chosen: Tensor = torch.ops.nenni.top_k(rows, k)
        return chosen
    if rows.dtype not in (torch.float32, torch.float64) or not rows.sum().isfinite():
        rows = numbers(rows)
    if k in (0, n) or not len(rows):
        return select(rows, k)
    return _narrow_andselect(rows, k) if n >= _LONG_ROW else _partition(rows, k)


def distance(score: Tensor, mask: Tensor) -> Tensor:
    """A score (N, ...) less the value that parts the masked neurons of a sample from the others."""
    rows = score.flatten(1)
    return (rows - midpoint(rows, mask.flatten(1), 1)).view_as(score)


def midpoint(score: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Halfway between the smallest masked and the largest other score along a dimension.

    Infinite where there is only one kind. Constant in the backward pass; keeps the dimension.
    """
    score = score.detach()
    inside = score.masked_fill(~mask, math.inf).amin(dim, keepdim=True)
    outside = score.masked_fill(mask, -math.inf).amax(dim, keepdim=True)
    return (inside + outside) / 2


def _memory_order(score: Tensor) -> list[int]:
    """Dimensions in the order of their strides: flattening along them copies nothing."""
    if score.dim() == 4 and score.is_contiguous(memory_format=torch.channels_last):
        return [0, 2, 3, 1]
    return list(range(score.dim()))


def _partition(rows: Tensor, k: int) -> Tensor:
    """Top-k as what is not below the k-th largest number, where no other number equals that."""
    place = rows.shape[1] - k
    border = torch.from_numpy(np.partition(rows.detach().numpy(), place, axis=1)[:, place])
    mask = rows >= border[:, None]
    tied = mask.sum(1) != k
    if bool(tied.any()):
        mask[tied] = select(rows[tied], k)
    return mask


def _narrow_andselect(rows: Tensor, k: int) -> Tensor:
    """Top-k among the few numbers that lie close to the border.

    What lies above a bracket of the k-th largest number is in, what lies below is out. Rows whose
    bracket misses the border are selected in full.
    """
    count, n = rows.shape
    low, high = _narrowed(rows, k, *_bracket(rows, k))
    mask = rows > high
    undecided = (rows >= low) ^ mask
    wanted = k - _count(mask)
    index = undecided.view(-1).nonzero().squeeze(1)
    row = torch.div(index, n, rounding_mode="floor")
    found = torch.bincount(row, minlength=count)
    missed = (wanted < 0) | (wanted > found)
    place = torch.arange(len(index), device=rows.device) - (found.cumsum(0) - found)[row]
    width, most = int(found.max()), int(wanted.max().clamp_min(0))
    candidates = rows.new_full((count, width + most), -math.inf)
    candidates[row, place] = rows.view(-1)[index]
    taken = torch.arange(most, device=rows.device) < (most - wanted)[:, None]
    candidates[:, width:].masked_fill_(taken, math.inf)
    mask.view(-1)[index] = select(candidates, most)[row, place]
    if bool(missed.any()):
        mask[missed] = select(rows[missed], k)
    return mask


def _bracket(rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Bounds (N, 1) that probably enclose the k-th largest number of each row.

    Quantiles of a sample, 2.5 standard deviations of their rank apart on either side (Floyd,
    Rivest: Expected time bounds for selection, CACM 18(3), 1975).
    """
    n = rows.shape[1]
    sample = rows[:, :: (n // _SAMPLE) | 1].contiguous()
    m, p = sample.shape[1], k / n
    spread = 1 + 2.5 * math.sqrt(m * p * (1 - p))
    above, below = max(1, round(m * p - spread)), min(m, round(m * p + spread))
    ranked = sample.sort(dim=1).values
    return ranked[:, m - below, None], ranked[:, m - above, None]


def _narrowed(rows: Tensor, k: int, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Closer bounds, from the number of values beyond each bound and beyond their middle.

    The value at a rank by inverse quadratic interpolation, 3 standard deviations and a hundredth of
    the bracket apart from the k-th on either side; the bounds as given where that fails.
    """
    middle = (low + high) / 2
    first, second, third = (
        _count(mask)[:, None].to(rows) for mask in (rows > high, rows > middle, rows >= low)
    )
    inside = third - first
    spread = 1 + 1.5 * inside.sqrt() + 0.01 * inside
    share = (second - first) / inside

    def value_at(rank: Tensor, otherwise: Tensor) -> Tensor:
        x = ((rank - first) / inside).clamp(0, 1)
        depth = x * (x - share) / (1 - share) + 0.5 * x * (1 - x) / (share * (1 - share))
        return torch.where(depth.isfinite(), high - (high - low) * depth.clamp(0, 1), otherwise)

    return value_at(k + spread, low), value_at(k - spread, high)


def _count(mask: Tensor) -> Tensor:
    """Number of True in each row: eight booleans are summed at a time, as the bytes of a word."""
    if mask.shape[1] % 1024:
        return mask.sum(1, dtype=torch.int32)
    words = mask.view(torch.int64).unflatten(1, (-1, 128)).sum(2)  # no byte exceeds 128
    counts: Tensor = words.view(torch.uint8).sum(1, dtype=torch.int32)
    return counts
