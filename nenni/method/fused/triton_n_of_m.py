"""The N largest of every M neighbouring channels, as a kernel in Triton."""

import torch
import triton
import triton.language as tl
from torch import Tensor

_TILE = 4096
"""Neurons at a time, of all channels of a group at some positions."""


@triton.jit
def _load(score, inside):  # type: ignore[no-untyped-def]
    """Scores as numbers; a NaN, and what is not inside, is the least."""
    least: tl.constexpr = float("-inf")
    x = tl.load(score, mask=inside, other=least)
    return tl.where(x != x, least, x)


@triton.jit(do_not_specialize=["channels", "n"])
def _n_of_m(  # type: ignore[no-untyped-def]
    score, mask, channels, positions, image_stride, channel_stride, position_stride, n,
    M: tl.constexpr, PADDED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Essential where fewer than n neighbours are larger, or equal and before."""
    start = tl.program_id(0).to(tl.int64) * image_stride
    first = tl.program_id(1) * M
    position = (tl.program_id(2) * BLOCK + tl.arange(0, BLOCK))[None, :]
    place = tl.arange(0, PADDED)[:, None]
    channel = first + place
    inside = (place < M) & (channel < channels) & (position < positions)
    at = start + channel.to(tl.int64) * channel_stride + position.to(tl.int64) * position_stride
    x = _load(score + at, inside)
    rank = tl.zeros((PADDED, BLOCK), tl.int32)
    for other in range(M):
        there = start + (first + other).to(tl.int64) * channel_stride
        there = there + position.to(tl.int64) * position_stride
        y = _load(score + there, (first + other < channels) & (position < positions))
        rank += ((y > x) | ((y == x) & (other < place))).to(tl.int32)
    tl.store(mask + at, rank < n, mask=inside)


def n_of_m(score: Tensor, n: int, m: int) -> Tensor:
    """Mask of the n largest of every m neighbouring channels of a score (N, C, positions)."""
    mask = torch.empty_like(score, dtype=torch.bool)
    if mask.stride() != score.stride():
        score, mask = score.contiguous(), mask.contiguous()
    images, channels, positions = score.shape
    padded = triton.next_power_of_2(m)
    block = min(max(16, _TILE // padded), max(16, triton.next_power_of_2(positions)))
    grid = (images, triton.cdiv(channels, m), triton.cdiv(positions, block))
    _n_of_m[grid](
        score, mask, channels, positions, *score.stride(), n, M=m, PADDED=padded, BLOCK=block
    )
    return mask
