"""Mask of the k largest numbers of each row."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nenni.method.fused.bits import shaped
from nenni.method.fused.operators import has_triton, register

_LONG_ROW = 8192
"""From this length on equals go by place: ``torch.topk`` takes several times as long."""


def numbers(rows: Tensor) -> Tensor:
    """Finite numbers of at least 32 bits: a NaN, like -infinity, is the least."""
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    return rows.nan_to_num(nan=torch.finfo(rows.dtype).min)


def comparable(rows: Tensor) -> Tensor:
    """The rows themselves where all are finite numbers that numpy knows, else :func:`numbers`."""
    known = rows.dtype in (torch.float32, torch.float64) and bool(rows.sum().isfinite())
    return rows if known else numbers(rows)


def select(rows: Tensor, k: int) -> Tensor:
    """The k largest of numbers (N, n); the complement of the smallest if those are fewer."""
    n = rows.shape[1]
    few = 2 * k <= n
    chosen = rows.topk(k if few else n - k, dim=1, largest=few, sorted=False).indices
    return torch.full_like(rows, not few, dtype=torch.bool).scatter_(1, chosen, few)


def settled(rows: Tensor, border: Tensor, k: int) -> Tensor:
    """The k largest of rows with a tie at the border: here the order of the numbers counts.

    Of long rows the first of equals are chosen where k is at most half, else the last, as the
    kernel of a GPU does; of short ones those of :func:`torch.topk`.
    """
    if rows.shape[1] < _LONG_ROW:
        return select(rows, k)
    n = int(rows.shape[1])
    few = 2 * k <= n
    return first_of_equals(rows, border, k) if few else ~first_of_equals(-rows, -border, n - k)


def first_of_equals(rows: Tensor, border: Tensor, k: int) -> Tensor:
    """The k largest of rows with a tie at the border: the first of those that equal it."""
    beyond, equal = rows > border, rows == border
    room = k - beyond.sum(1, keepdim=True, dtype=torch.int32)
    return beyond | equal & (equal.cumsum(1, dtype=torch.int32) <= room)


def top_k(rows: Tensor, k: int) -> Tensor:
    """The k largest of any rows (N, n), each row by itself; -0 is 0."""
    if rows.device.type != "cpu":
        return select(numbers(rows) + 0.0, k)
    return largest(rows, k, [0, 1])


def largest(
    score: Tensor,
    k: int,
    order: list[int],
    settle: Callable[[Tensor, Tensor, int], Tensor] = settled,
) -> Tensor:
    """The k largest of each sample of a score (N, ...) on a CPU, in its shape and layout.

    They are what is not below the k-th largest, sought along dimensions in the order in which they
    lie in memory; where others equal that, `settle` says which, in the order of the score itself.
    """
    score = comparable(score.detach())
    rows = score.permute(order).flatten(1)
    n = int(rows.shape[1])
    if k in (0, n) or not len(rows):
        return torch.full_like(score, k > 0, dtype=torch.bool)
    values = rows.numpy()
    parted = np.partition(values, n - k, axis=1)
    least = parted[:, n - k, None]
    mask = shaped(torch.from_numpy(values >= least), score.shape, order)
    tied = torch.from_numpy(parted[:, : n - k].max(1, keepdims=True) == least)[:, 0]
    if bool(tied.any()):
        border = torch.from_numpy(least)[tied]
        found = settle(score[tied].flatten(1), border, k)
        mask[tied] = found.view(-1, *score.shape[1:])
    return mask


def _kernel(rows: Tensor, k: int) -> Tensor:
    n = rows.shape[1]
    if not has_triton() or k in (0, n) or not len(rows):
        return top_k(rows, k)
    from nenni.method.fused import triton_top_k

    longest = triton_top_k.LONGEST
    return triton_top_k.top_k(rows, k) if n <= longest else top_k(rows, k)


register(
    "top_k(Tensor rows, int k) -> Tensor",
    top_k,
    _kernel,
    lambda rows, k: torch.empty_like(rows, dtype=torch.bool),
)
