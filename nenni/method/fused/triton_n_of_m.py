"""The N largest of every M neighbouring channels, as a kernel in Triton."""

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024
"""Positions at a time."""


@triton.jit
def _load(score, channel, channels, position, positions):  # type: ignore[no-untyped-def]
    """A channel at some positions, as numbers; a NaN, and what is no channel, is the least."""
    least: tl.constexpr = float("-inf")
    inside = (channel < channels) & (position < positions)
    x = tl.load(score + channel.to(tl.int64) * positions + position, mask=inside, other=least)
    return tl.where(x != x, least, x)


@triton.jit(do_not_specialize=["channels", "n"])
def _n_of_m(  # type: ignore[no-untyped-def]
    score, mask, channels, positions, n, M: tl.constexpr, PADDED: tl.constexpr, BLOCK: tl.constexpr
):
    """Essential where fewer than n neighbours are larger, or equal and before."""
    image = tl.program_id(0).to(tl.int64) * channels * positions
    first = tl.program_id(1) * M
    position = (tl.program_id(2) * BLOCK + tl.arange(0, BLOCK))[None, :]
    place = tl.arange(0, PADDED)[:, None]
    channel = tl.where(place < M, first + place, channels)
    x = _load(score + image, channel, channels, position, positions)
    rank = tl.zeros((PADDED, BLOCK), tl.int32)
    for other in tl.static_range(M):
        there = tl.full((1, 1), first + other, tl.int32)
        y = _load(score + image, there, channels, position, positions)
        rank += ((y > x) | ((y == x) & (other < place))).to(tl.int32)
    inside = (channel < channels) & (position < positions)
    at = mask + image + channel.to(tl.int64) * positions + position
    tl.store(at, rank < n, mask=inside)


def n_of_m(score: Tensor, n: int, m: int) -> Tensor:
    """Mask of the n largest of every m neighbouring channels of a score (N, C, positions)."""
    score = score.contiguous()
    mask = torch.empty_like(score, dtype=torch.bool)
    images, channels, positions = score.shape
    block = min(_BLOCK, triton.next_power_of_2(max(positions, 1)))
    grid = (images, triton.cdiv(channels, m), triton.cdiv(positions, block))
    _n_of_m[grid](
        score, mask, channels, positions, n,
        M=m, PADDED=triton.next_power_of_2(m), BLOCK=block,
    )  # fmt: skip
    return mask
