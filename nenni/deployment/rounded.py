"""The rounding of a value between two layers."""

import torch
from torch import Tensor, nn

from nenni.method.quantise import mse_scale, quantise

BITS = 8
"""Of values between layers, and of exact products."""


class Rounded(nn.Module):
    """Q(x): a value as its code says it, with a straight-through gradient.

    Attributes
    ----------
    scale : Tensor
        The step between two codes.
    """

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))

    def calibrate(self, x: Tensor) -> None:
        """Set the step to that of least squared error on some values."""
        self.scale.copy_(mse_scale(x, BITS))

    def forward(self, x: Tensor) -> Tensor:
        """Q(x)."""
        return quantise(x, self.scale, BITS)
