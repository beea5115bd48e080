"""Mask of the k largest numbers of each row."""

import torch
from torch import Tensor

from nenni.method.fused.operators import has_triton, register


def numbers(rows: Tensor) -> Tensor:
    """Finite numbers of at least 32 bits: a NaN, like -infinity, is the least."""
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    return rows.nan_to_num(nan=torch.finfo(rows.dtype).min)


def select(rows: Tensor, k: int) -> Tensor:
    """The k largest of numbers (N, n); the complement of the smallest if those are fewer."""
    n = rows.shape[1]
    few = 2 * k <= n
    chosen = rows.topk(k if few else n - k, dim=1, largest=few, sorted=False).indices
    return torch.full_like(rows, not few, dtype=torch.bool).scatter_(1, chosen, few)


def top_k(rows: Tensor, k: int) -> Tensor:
    """The k largest of any rows (N, n); -0 is 0."""
    return select(numbers(rows) + 0.0, k)


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
