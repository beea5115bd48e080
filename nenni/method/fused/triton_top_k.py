"""The k largest of each row, as a kernel in Triton: one program a row, three bits a pass."""

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024
"""Numbers of a row at a time."""


@triton.jit
def _keys(rows, inside, WIDTH: tl.constexpr, LARGEST: tl.constexpr):  # type: ignore[no-untyped-def]
    """Integers in the order of the numbers; a NaN is the least number, infinities are finite."""
    x = tl.load(rows, mask=inside, other=0.0)
    x = x.to(tl.float32) if WIDTH == 32 else x
    x = tl.where(x != x, -LARGEST, x)
    x = tl.where(x > LARGEST, LARGEST, tl.where(x < -LARGEST, -LARGEST, x))
    bits = x.to(tl.int32 if WIDTH == 32 else tl.int64, bitcast=True)
    magnitude = (1 << (WIDTH - 1)) - 1
    return tl.where(bits < 0, bits ^ magnitude, bits)


@triton.jit
def _top_k(  # type: ignore[no-untyped-def]
    rows, mask, n, k, first,
    WIDTH: tl.constexpr, LARGEST: tl.constexpr, DIGIT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The k-th largest key by its digits, from the highest: how many keys reach each candidate."""
    key_type = tl.int32 if WIDTH == 32 else tl.int64
    start = tl.program_id(0).to(tl.int64) * n
    column = tl.arange(0, BLOCK)
    digit = tl.arange(0, 1 << DIGIT)
    border = tl.full((), 0, key_type) + (-1 << (WIDTH - 1))
    passes: tl.constexpr = (WIDTH + DIGIT - 1) // DIGIT
    for step in tl.static_range(passes):
        shift: tl.constexpr = DIGIT * (passes - 1 - step)
        most: tl.constexpr = 1 << min(DIGIT, WIDTH - shift)
        candidate = border + (tl.where(digit < most, digit, 0).to(key_type) << shift)
        reached = tl.zeros((1 << DIGIT, BLOCK), tl.int32)
        for at in range(0, n, BLOCK):
            inside = at + column < n
            key = _keys(rows + start + at + column, inside, WIDTH, LARGEST)
            above = (key[None, :] >= candidate[:, None]) & inside[None, :]
            reached += above.to(tl.int32)
        enough = (tl.sum(reached, 1) >= k) & (digit < most)
        border += (tl.sum(enough.to(tl.int32), 0) - 1).to(key_type) << shift
    more = tl.zeros((BLOCK,), tl.int32)
    equal = tl.zeros((BLOCK,), tl.int32)
    for at in range(0, n, BLOCK):
        inside = at + column < n
        key = _keys(rows + start + at + column, inside, WIDTH, LARGEST)
        more += ((key > border) & inside).to(tl.int32)
        equal += ((key == border) & inside).to(tl.int32)
    wanted = k - tl.sum(more, 0)
    ties = tl.sum(equal, 0)
    skipped = 0 if first else ties - wanted
    seen = 0
    for at in range(0, n, BLOCK):
        inside = at + column < n
        key = _keys(rows + start + at + column, inside, WIDTH, LARGEST)
        tied = ((key == border) & inside).to(tl.int32)
        chosen = key > border
        if ties == wanted:
            chosen = key >= border
        else:
            place = seen + tl.cumsum(tied, 0)
            chosen |= (tied > 0) & (place > skipped) & (place <= skipped + wanted)
            seen += tl.sum(tied, 0)
        tl.store(mask + start + at + column, chosen, mask=inside)


def top_k(rows: Tensor, k: int) -> Tensor:
    """Mask of the k largest of each row (N, n), 0 < k < n, whatever the ties.

    Among equals the first are chosen where k is at most half of n, and else the last, as by
    ``torch.topk`` of the smaller side.
    """
    rows = rows.contiguous()
    n = rows.shape[1]
    mask = torch.empty_like(rows, dtype=torch.bool)
    double = rows.dtype == torch.float64
    largest = torch.finfo(torch.float64 if double else torch.float32).max
    _top_k[(len(rows),)](
        rows, mask, n, k, 2 * k <= n,
        WIDTH=64 if double else 32, LARGEST=largest, DIGIT=3, BLOCK=_BLOCK, num_warps=16,
    )  # fmt: skip
    return mask
