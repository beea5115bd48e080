"""Exact top-k masks and their borders, shared by the selections that rank."""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from nenni.core.runtime import may_look
from nenni.method.fused.top_k import numbers, select

_LONG_ROW = 8192
"""From this length on ties go by place: ``torch.topk`` takes several times as long."""


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
    return _partition(rows, k)


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
    """Top-k as what is not below the k-th largest number; rows where others equal it are settled.

    Each row by itself, whatever stands beside it.
    """
    n = rows.shape[1]
    border = torch.from_numpy(np.partition(rows.detach().numpy(), n - k, axis=1)[:, n - k, None])
    mask = rows >= border
    tied = mask.sum(1, dtype=torch.int32) != k
    if bool(tied.any()):
        settle = select if n < _LONG_ROW else partial(_by_place, border=border[tied])
        mask[tied] = settle(rows[tied], k=k)
    return mask


def _by_place(rows: Tensor, border: Tensor, k: int) -> Tensor:
    """Top-k of which, among equals, the first are chosen where k is at most half, else the last.

    As the kernel of a GPU does.
    """
    few = 2 * k <= rows.shape[1]
    beyond, equal = (rows > border if few else rows < border), rows == border
    room = (k if few else rows.shape[1] - k) - beyond.sum(1, keepdim=True, dtype=torch.int32)
    first = beyond | equal & (equal.cumsum(1, dtype=torch.int32) <= room)
    return first if few else ~first
