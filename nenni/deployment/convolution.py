"""A convolution with what follows it, as products of bytes: dense, or with tiles that are skipped.

Of a layer z = W x + b the sums acc of integer products give the code of its output,

    code = clip(round(factor acc + offset + residual_factor residual)),

where factor and offset hold the steps of inputs and weights, the batch norm and the step of the
output. A layer that skips computes P Q(x), z~ everywhere, the mean of each tile's scores, and z in
the tiles where that is largest (NENNI, section 3).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nenni.deployment.packing import filled
from nenni.deployment.plane import QUAD, Plane


@dataclass(frozen=True)
class Product:
    """Integer products of one plane's codes.

    Attributes
    ----------
    codes : Tensor
        Of the weights, int8 (n, C, kh, kw).
    packed, start, position, step, inside : Tensor
        What the kernels read: see kernels/product.h.
    narrow : bool
        Whether fewer positions at once leave out more taps.
    tap : Tensor
        Bytes from the first tap of a position to each.
    signed : bool
        Whether the inputs' codes have 128 added.
    """

    codes: Tensor
    packed: Tensor
    start: Tensor
    position: Tensor
    step: Tensor
    inside: Tensor
    narrow: bool
    tap: Tensor
    signed: bool

    @cached_property
    def parts(self) -> list[Tensor]:
        """Tensors that the kernels take."""
        return [self.packed, self.start, self.position, self.step, self.inside]

    @cached_property
    def by_taps(self) -> Tensor:
        """Weights (taps, input channels in fours, n), int8."""
        codes = F.pad(self.codes.flatten(2), (0, 0, 0, -self.codes.shape[1] % QUAD))
        return codes.permute(2, 1, 0).contiguous()

    @property
    def channels(self) -> int:
        """Number n of neurons at a position."""
        return len(self.codes)


@dataclass(frozen=True)
class Written:
    """What becomes of the sums.

    Attributes
    ----------
    plane : Plane
        Where they go; its scale is 1 where numbers are written.
    as_numbers : bool
        Whether numbers are written, not codes.
    low, high : float
        Bounds of codes, or numbers.
    residual : Plane or None
        Of what is added.
    """

    plane: Plane
    as_numbers: bool
    low: float
    high: float
    residual: Plane | None

    @property
    def residual_factor(self) -> float:
        """Steps of the output in a step of what is added."""
        return 0.0 if self.residual is None else self.residual.scale / self.plane.scale

    @cached_property
    def bounds(self) -> list[float]:
        """Numbers that the kernels take."""
        zero = 0 if self.as_numbers else self.plane.zero
        return [self.low, self.high, zero, self.residual_factor]

    def parts(self, factor: Tensor, offset: Tensor) -> list[Tensor]:
        """Tensors that the kernels take of a product whose z is factor acc + offset."""
        added = 0 if self.residual is None else -self.residual_factor * self.residual.zero
        scaled = [filled(factor / self.plane.scale), filled(offset / self.plane.scale + added)]
        also = [] if self.residual is None else [self.residual.positions]
        return [x.float() for x in scaled] + [
            x.to(factor.device) for x in (self.plane.positions, *also)
        ]


@dataclass(frozen=True)
class Dense:
    """All neurons of a layer."""

    product: Product
    factor: Tensor
    offset: Tensor
    written: Written

    @cached_property
    def parts(self) -> list[Tensor]:
        """Tensors that the kernels take: how sums are written."""
        return self.written.parts(self.factor, self.offset)

    @cached_property
    def compiled(self) -> Any:
        """The same in C++, where a call need not read it again: kernels/layer.cpp."""
        product, written = self.product, self.written
        return torch.classes.nenni_deployment.Dense(
            product.parts,
            product.channels,
            product.signed,
            product.narrow,
            self.parts,
            written.bounds,
            written.plane.shape,
            written.as_numbers,
        )


@dataclass(frozen=True)
class Skipping:
    """z~ of all neurons, and z of those in some tiles.

    Attributes
    ----------
    exact : Dense
        z.
    projection : Dense
        P Q_a(x), which it writes as codes.
    approximate : Dense
        z~.
    score_factor, score_offset : Tensor
        What of z~ is ranked.
    magnitude : bool
        Whether its magnitude is.
    tile : tuple of int
        Channels and positions.
    share : float
        Of the tiles of an image, those that are exact.
    table : Tensor or None
        Codes of Q_a(x) for those of x, where they have fewer bits.
    """

    exact: Dense
    projection: Dense
    approximate: Dense
    score_factor: Tensor
    score_offset: Tensor
    magnitude: bool
    tile: tuple[int, int]
    share: float
    table: Tensor | None

    @cached_property
    def tiles(self) -> int:
        """Of an image, those at the border with the others."""
        wide, high = self.tile
        product = self.exact.product
        return -(-len(product.codes) // wide) * -(-len(product.position) // high)

    @cached_property
    def kept(self) -> int:
        """Tiles of an image that are exact."""
        return round(self.share * self.tiles)

    @cached_property
    def compiled(self) -> Any:
        """The same in C++."""
        return torch.classes.nenni_deployment.Skipping(
            self.projection.compiled,
            self.approximate.compiled,
            self.exact.compiled,
            [self.score_factor, self.score_offset],
            self.magnitude,
            self.tile,
            self.kept,
        )
