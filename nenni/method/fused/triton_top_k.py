"""The k largest of each row, as a kernel in Triton: one program a row."""

import torch
import triton
import triton.language as tl
from torch import Tensor

LONGEST = (1 << 21) - 1
"""Numbers of a row whose count fits where three counts share a word."""
_BLOCK = 1024
"""Numbers of a row at a time."""


@triton.jit
def _keys(rows, inside, WIDTH: tl.constexpr, LARGEST: tl.constexpr):  # type: ignore[no-untyped-def]
    """Integers in the order of the numbers: a NaN is the least, infinities are finite, -0 is 0."""
    least: tl.constexpr = -LARGEST
    x = tl.load(rows, mask=inside, other=0.0)
    x = x.to(tl.float32) if WIDTH == 32 else x
    x = tl.where(x > least, x, least)
    x = tl.where(x < LARGEST, x, LARGEST)
    x = tl.where(x == 0.0, 0.0, x)
    bits = x.to(tl.int32 if WIDTH == 32 else tl.int64, bitcast=True)
    magnitude = (1 << (WIDTH - 1)) - 1
    return tl.where(bits < 0, bits ^ magnitude, bits)


@triton.jit
def _number(key, WIDTH: tl.constexpr):  # type: ignore[no-untyped-def]
    """The number of a key."""
    magnitude = (1 << (WIDTH - 1)) - 1
    bits = tl.where(key < 0, key ^ magnitude, key)
    return bits.to(tl.float32 if WIDTH == 32 else tl.float64, bitcast=True)


@triton.jit
def _three(first, second, third):  # type: ignore[no-untyped-def]
    """Three counts in a word."""
    return first.to(tl.int64) + (second.to(tl.int64) << 21) + (third.to(tl.int64) << 42)


@triton.jit
def _narrowed(low, reach, high, beyond, border, count, k):  # type: ignore[no-untyped-def]
    """The bracket of the k-th key, and how many reach its ends, by one border within it."""
    enough = count >= k
    reach = tl.where(enough, count, reach)
    low = tl.where(enough, border, low)
    closer = (count < k) & (border < high)
    beyond = tl.where(closer, count, beyond)
    high = tl.where(closer, border, high)
    return low, reach, high, beyond


@triton.jit(do_not_specialize=["k", "first"])
def _top_k(  # type: ignore[no-untyped-def]
    rows, mask, n, k, first, WIDTH: tl.constexpr, LARGEST: tl.constexpr, BLOCK: tl.constexpr
):
    """A bracket of the k-th largest key, a seventh at each pass, until exactly k keys reach it."""
    key_type: tl.constexpr = tl.int32 if WIDTH == 32 else tl.int64
    rows += tl.program_id(0).to(tl.int64) * n
    mask += tl.program_id(0).to(tl.int64) * n
    column = tl.arange(0, BLOCK)
    least = tl.full((BLOCK,), (1 << (WIDTH - 1)) - 1, key_type)
    most = -least
    for at in range(0, n, BLOCK):
        inside = at + column < n
        key = _keys(rows + at + column, inside, WIDTH, LARGEST)
        least = tl.where(inside & (key < least), key, least)
        most = tl.where(inside & (key > most), key, most)
    low, high = tl.min(least, 0), tl.max(most, 0) + 1
    beyond = tl.full((), 0, tl.int64)
    reach = beyond + n
    while (reach != k) & (high > low + 1):
        step = high // 7 - low // 7
        step = tl.where(step > 1, step, 1)
        border_1 = tl.minimum(low + step, high - 1)
        border_2 = tl.minimum(low + 2 * step, high - 1)
        border_3 = tl.minimum(low + 3 * step, high - 1)
        border_4 = tl.minimum(low + 4 * step, high - 1)
        border_5 = tl.minimum(low + 5 * step, high - 1)
        border_6 = tl.minimum(low + 6 * step, high - 1)
        number_1, number_2 = _number(border_1, WIDTH), _number(border_2, WIDTH)
        number_3, number_4 = _number(border_3, WIDTH), _number(border_4, WIDTH)
        number_5, number_6 = _number(border_5, WIDTH), _number(border_6, WIDTH)
        count_1 = tl.zeros((BLOCK,), tl.int32)
        count_2, count_3, count_4, count_5, count_6 = count_1, count_1, count_1, count_1, count_1
        for at in range(0, n, BLOCK):
            x = tl.load(rows + at + column, mask=at + column < n, other=float("-inf"))
            x = x.to(number_1.dtype)
            count_1 += (x >= number_1).to(tl.int32)
            count_2 += (x >= number_2).to(tl.int32)
            count_3 += (x >= number_3).to(tl.int32)
            count_4 += (x >= number_4).to(tl.int32)
            count_5 += (x >= number_5).to(tl.int32)
            count_6 += (x >= number_6).to(tl.int32)
        lower = tl.sum(_three(count_1, count_2, count_3), 0)
        upper = tl.sum(_three(count_4, count_5, count_6), 0)
        one: tl.constexpr = (1 << 21) - 1
        low, reach, high, beyond = _narrowed(low, reach, high, beyond, border_1, lower & one, k)
        low, reach, high, beyond = _narrowed(
            low, reach, high, beyond, border_2, (lower >> 21) & one, k
        )
        low, reach, high, beyond = _narrowed(low, reach, high, beyond, border_3, lower >> 42, k)
        low, reach, high, beyond = _narrowed(low, reach, high, beyond, border_4, upper & one, k)
        low, reach, high, beyond = _narrowed(
            low, reach, high, beyond, border_5, (upper >> 21) & one, k
        )
        low, reach, high, beyond = _narrowed(low, reach, high, beyond, border_6, upper >> 42, k)
    wanted = (k - beyond).to(tl.int32)
    skipped = tl.where(first, 0, (reach - k).to(tl.int32))
    seen = 0
    for at in range(0, n, BLOCK):
        inside = at + column < n
        key = _keys(rows + at + column, inside, WIDTH, LARGEST)
        chosen = key >= low
        if reach != k:
            tied = ((key == low) & inside).to(tl.int32)
            place = seen + tl.cumsum(tied, 0)
            chosen = (key > low) | ((tied > 0) & (place > skipped) & (place <= skipped + wanted))
            seen += tl.sum(tied, 0)
        tl.store(mask + at + column, chosen, mask=inside)


def top_k(rows: Tensor, k: int) -> Tensor:
    """Mask of the k largest of each row (N, n), 0 < k < n <= LONGEST, whatever the ties.

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
        WIDTH=64 if double else 32, LARGEST=largest, BLOCK=_BLOCK, num_warps=16,
    )  # fmt: skip
    return mask
