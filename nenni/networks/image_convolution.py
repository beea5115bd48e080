"""A convolution of images whose gradient for them costs what it should.

Libraries pad the few channels of an image to the width of a vector unit, in the gradient as in the
forward pass: for one channel that is 8 or 16 times the work. As a matrix product per window and a
sum over windows (col2im) nothing is padded.
"""

from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nenni.networks.hooks import has_hooks

CHANNELS = 3
"""Most input channels of a convolution that counts as one of images."""


class ImageConv2d(nn.Module):
    """A given convolution without gradients for its parameters, and a faster one for the images.

    The forward pass is the convolution's own, to the bit.

    Parameters
    ----------
    conv : Conv2d
        One that :func:`takes_images`; its parameters are shared.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Convolve images (N, C, H, W)."""
        convolved: Tensor = _Convolve.apply(x, self.conv)
        return convolved


def takes_images(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether a module is a convolution with few input channels, of one group, padded by zeros.

    One of a class of its own, or with hooks, may compute anything else.
    """
    return (
        type(module) is nn.Conv2d
        and not has_hooks(module)
        and module.in_channels <= CHANNELS
        and module.groups == 1
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: nn.Conv2d) -> Tensor:
        ctx.conv, ctx.size = conv, x.shape[2:]
        return conv(x)  # type: ignore[no-any-return]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        conv: nn.Conv2d = ctx.conv
        windows = conv.weight.detach().flatten(1).T @ gradient.flatten(2)
        assert not isinstance(conv.padding, str)
        windows_of = (conv.kernel_size, conv.dilation, conv.padding, conv.stride)
        return F.fold(windows, ctx.size, *windows_of), None
