"""Codes of a layer's input as they lie in memory: bytes (N, H, W, C) within their padding."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

QUAD = 4
"""Input channels whose products the kernels add at once."""
_BITS = 62
"""Taps that a number of 64 bits can tell apart."""
_ADDED = 128
"""What is added to a signed code, so that it is a byte without a sign."""


@dataclass(frozen=True)
class Plane:
    """Where the codes of one value of a network lie, and what they mean.

    Parameters
    ----------
    height, width, channels : int
        Of the value (N, C, H, W).
    padding : int
        Rows and columns around it, which hold the code of 0.
    scale : float
        Value of one step.
    signed : bool
        Whether there are codes below 0; 128 is added to those that may be.
    limit : int
        The largest code.
    """

    height: int
    width: int
    channels: int
    padding: int
    scale: float
    signed: bool
    limit: int = 127

    @property
    def zero(self) -> int:
        """The byte of 0."""
        return _ADDED if self.signed else 0

    @property
    def lowest(self) -> int:
        """The smallest code."""
        return -self.limit if self.signed else 0

    @property
    def quads(self) -> int:
        """Channels in fours."""
        return -(-self.channels // QUAD)

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) with padding and filled up channels."""
        around = 2 * self.padding
        return self.height + around, self.width + around, self.quads * QUAD

    @property
    def narrow(self) -> bool:
        """Whether rows are divided by four positions and not by eight."""
        return self.width % 8 == 4

    @cached_property
    def positions(self) -> Tensor:
        """Bytes from the first to each position, row by row, int32."""
        return self._places(range(self.height), range(self.width), self.padding)

    def patches(self, layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
        """First tap of each output position, and distance of each tap from it: bytes, int32.

        Raises
        ------
        ValueError
            If the layer pads by more than the plane does.
        """
        (kh, kw), (sh, sw), (dh, dw) = layer.kernel_size, layer.stride, layer.dilation
        ph, pw = int(layer.padding[0]), int(layer.padding[1])
        if max(ph, pw) > self.padding:
            raise ValueError(f"a padding of {max(ph, pw)} in a plane that has {self.padding}")
        high = (self.height + 2 * ph - dh * (kh - 1) - 1) // sh + 1
        wide = (self.width + 2 * pw - dw * (kw - 1) - 1) // sw + 1
        rows = range(-ph, -ph + high * sh, sh)
        columns = range(-pw, -pw + wide * sw, sw)
        taps = self._places(range(0, kh * dh, dh), range(0, kw * dw, dw), 0)
        return self._places(rows, columns, self.padding), taps

    def inside(self, layer: nn.Conv2d) -> Tensor:
        """Of each output position the taps that lie within the value, int64: bit t for tap t.

        All bits where there are more taps.
        """
        (kh, kw), (sh, sw), (dh, dw) = layer.kernel_size, layer.stride, layer.dilation
        ph, pw = int(layer.padding[0]), int(layer.padding[1])
        if kh * kw > _BITS:
            return torch.full_like(self.patches(layer)[0], -1, dtype=torch.int64)
        rows = _within(self.height, kh, sh, dh, ph)[:, None, :, None]
        columns = _within(self.width, kw, sw, dw, pw)[None, :, None, :]
        bits = 2 ** torch.arange(kh * kw).view(kh, kw)
        return ((rows & columns) * bits).sum((2, 3)).flatten()

    def numbers(self, codes: Tensor) -> Tensor:
        """The values (N, C, H, W) of codes, channels last."""
        p = self.padding
        inside = codes[:, p : p + self.height, p : p + self.width, : self.channels]
        return (inside.float() - self.zero).mul_(self.scale).permute(0, 3, 1, 2)

    def _places(self, rows: range, columns: range, added: int) -> Tensor:
        _, wide, deep = self.shape
        y = torch.tensor(rows, dtype=torch.int32)[:, None] + added
        x = torch.tensor(columns, dtype=torch.int32) + added
        return ((y * wide + x) * deep).flatten()


def _within(size: int, kernel: int, stride: int, dilation: int, padding: int) -> Tensor:
    """Whether a tap lies within a dimension: (output positions, taps)."""
    count = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    place = torch.arange(count)[:, None] * stride - padding + torch.arange(kernel) * dilation
    return (place >= 0) & (place < size)
