"""Masks in an eighth of their memory, for backward passes on a CPU."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nenni.core.runtime import may_look


class Bits(NamedTuple):
    """A mask as bits in the order in which its values lay in memory."""

    packed: Tensor
    shape: torch.Size
    order: list[int]

    def mask(self) -> Tensor:
        """The mask as bytes of 0 and 1, in its layout."""
        count = self.shape.numel()
        flat = torch.from_numpy(np.unpackbits(self.packed.numpy(), count=count))
        return shaped(flat, self.shape, self.order)


def bits_of(mask: Tensor) -> Bits | None:
    """A boolean mask as bits; None where numpy may not look at it."""
    if not may_look(mask) or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return None
    strides = mask.stride()
    order = sorted(range(mask.dim()), key=lambda i: -strides[i])
    flat = mask.permute(order).reshape(-1).view(torch.uint8)
    return Bits(torch.from_numpy(np.packbits(flat.numpy())), mask.shape, order)


def shaped(values: Tensor, shape: torch.Size, order: list[int]) -> Tensor:
    """Values that lay flat along these dimensions, in their shape and layout."""
    laid = values.view([shape[i] for i in order])
    return laid.permute([order.index(i) for i in range(len(order))])
