"""Mask of the k largest numbers of each row."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nenni.method.fused.operators import has_triton, register

_LONG_ROW = 8192
"""From this length on equals go by place: ``torch.topk`` takes several times as long."""


class Parted(NamedTuple):
    """What is not below the k-th largest number of each row, and rows where that is too much."""

    mask: Tensor
    border: Tensor
    tied: Tensor


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


def parted(rows: Tensor, k: int) -> Parted:
    """By the k-th largest of comparable numbers (N, n) on a CPU, 0 < k < n, in any order."""
    place = rows.shape[1] - k
    border = torch.from_numpy(np.partition(rows.detach().numpy(), place, axis=1)[:, place, None])
    mask = rows >= border
    return Parted(mask, border, mask.sum(1, dtype=torch.int32) != k)


def settled(rows: Tensor, border: Tensor, k: int) -> Tensor:
    """The k largest of rows with a tie at the border: here the order of the numbers counts.

    Of long rows the first of equals are chosen where k is at most half, else the last, as the
    kernel of a GPU does; of short ones those of :func:`torch.topk`.
    """
    if rows.shape[1] < _LONG_ROW:
        return select(rows, k)
    few = 2 * k <= rows.shape[1]
    beyond, equal = (rows > border if few else rows < border), rows == border
    room = (k if few else rows.shape[1] - k) - beyond.sum(1, keepdim=True, dtype=torch.int32)
    first = beyond | equal & (equal.cumsum(1, dtype=torch.int32) <= room)
    return first if few else ~first


def top_k(rows: Tensor, k: int) -> Tensor:
    """The k largest of any rows (N, n), each row by itself; -0 is 0."""
    if rows.device.type != "cpu":
        return select(numbers(rows) + 0.0, k)
    rows = comparable(rows)
    if k in (0, rows.shape[1]) or not len(rows):
        return select(rows, k)
    mask, border, tied = parted(rows, k)
    if bool(tied.any()):
        mask[tied] = settled(rows[tied], border[tied], k)
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
