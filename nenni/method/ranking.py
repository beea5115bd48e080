"""Exact top-k masks and their borders, shared by the selections that rank."""

import math

import torch
from torch import Tensor

from nenni.core.runtime import may_look
from nenni.method.fused import top_k as fused
from nenni.method.fused.bits import shaped


def largest(score: Tensor, fraction: float) -> Tensor:
    """Mask of the round(fraction * size) largest neurons of each sample of a score (N, ...).

    The count holds exactly whatever the ties, and which of equals are chosen hangs on no other
    sample, nor, but for a GPU, on the layout in memory. A NaN ranks below every number.
    """
    score = score.detach()
    order = _memory_order(score)
    if not may_look(score):
        if score.device.type == "cpu":
            return top_k(score.flatten(1), fraction).view(score.shape)
        return shaped(top_k(score.permute(order).flatten(1), fraction), score.shape, order)
    return fused.largest(score, _rounded(fraction, score), order)


def top_k(rows: Tensor, fraction: float) -> Tensor:
    """Mask of the round(fraction * n) largest numbers of each row of (N, n); NaN ranks last."""
    k = _rounded(fraction, rows)
    if may_look(rows):
        return fused.top_k(rows, k)
    chosen: Tensor = torch.ops.nenni.top_k(rows, k)
    return chosen


def first_top_k(rows: Tensor, fraction: float) -> Tensor:
    """As :func:`top_k`, and of equals the first are chosen, as kernels that skip tiles do."""
    k = _rounded(fraction, rows)
    if may_look(rows):
        return fused.largest(rows, k, [0, 1], fused.first_of_equals)
    order = fused.numbers(rows.detach()).argsort(dim=1, descending=True, stable=True)
    return torch.zeros_like(rows, dtype=torch.bool).scatter_(1, order[:, :k], True)


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


def _rounded(fraction: float, score: Tensor) -> int:
    return round(fraction * int(math.prod(score.shape[1:])))  # tensors where torch.jit traces


def _memory_order(score: Tensor) -> list[int]:
    """Dimensions in the order of their strides: flattening along them copies nothing."""
    if score.dim() == 4 and score.is_contiguous(memory_format=torch.channels_last):
        return [0, 2, 3, 1]
    return list(range(score.dim()))
