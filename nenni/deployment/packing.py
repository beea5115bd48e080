"""Weights as the kernels read them, and the sums that undo what was added to signed codes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nenni.deployment.plane import QUAD

LANES = 16
"""Channels in a block of packed weights."""


def packed(codes: Tensor) -> Tensor:
    """Weights (blocks, steps, 16, 4) of codes (n, C, kh, kw), int8, filled up with zeros.

    A step is four input channels at a tap.
    """
    n, channels = codes.shape[:2]
    codes = F.pad(codes.flatten(2), (0, 0, 0, -channels % QUAD, 0, -n % LANES))
    blocks = codes.view(-1, LANES, codes.shape[1] // QUAD, QUAD, codes.shape[2])
    return blocks.permute(0, 4, 2, 1, 3).flatten(1, 2).contiguous().to(torch.int8)


def steps(tap: Tensor, channels: int) -> Tensor:
    """Bytes from the first tap to each step, from those to each tap, int32."""
    quads = torch.arange(0, -(-channels // QUAD) * QUAD, QUAD, dtype=torch.int32)
    return (tap[:, None] + quads).flatten()


def start(codes: Tensor, zero: int) -> Tensor:
    """What a channel's sum starts at, int32 (taps + 1, channels).

    -zero times its weights at each tap, and at all of them.
    """
    sums = codes.flatten(2).sum(1, dtype=torch.int32) * -zero
    sums = torch.cat([sums, sums.sum(1, keepdim=True, dtype=torch.int32)], 1)
    return F.pad(sums, (0, 0, 0, -len(sums) % LANES)).t().contiguous()


def filled(channels: Tensor) -> Tensor:
    """One number for each channel, with zeros up to a multiple of 16."""
    return F.pad(channels, (0, -len(channels) % LANES)).contiguous()
