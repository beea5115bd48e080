"""The balls that attacks stay in: all points of [0, 1] within eps of an image, L-inf or L2."""

import torch
from torch import Tensor

from nenni.core.keyed import Keyed
from nenni.core.types import Norm

_SLACK = 1e-6
"""Share of eps by which rounding may take a point out of its L2 ball."""

_ALL = slice(None)
_HALF = 2
"""Bytes of a number in half precision."""


class Ball:
    """Points of [0, 1] within eps of each image.

    L-inf bounds, clamp(x - eps, 0, 1) and clamp(x + eps, 0, 1), are kept exactly as rounded, in
    half precision as rounded inwards; L2 within one part in a million of eps.

    Parameters
    ----------
    inputs : Tensor
        Images (N, C, H, W) in [0, 1].
    eps : float
        Radius.
    norm : "linf" or "l2"
        What eps bounds.
    """

    def __init__(self, inputs: Tensor, eps: float, norm: Norm) -> None:
        self.inputs, self.eps, self.norm = inputs, eps, norm
        if norm == "linf":
            self.low, self.high = _bound(inputs, -eps), _bound(inputs, eps)

    def of(self, indices: Tensor) -> "Ball":
        """The ball of some of the images."""
        return Ball(self.inputs[indices], self.eps, self.norm)

    def contains(self, images: Tensor, rows: Tensor | slice = _ALL) -> Tensor:
        """Which images are in it, as (N,) of bool; none that is not finite.

        Parameters
        ----------
        images : Tensor
            (N, C, H, W).
        rows : Tensor
            Of which of the ball's images they are points; by default of all, in their order.
        """
        if self.norm == "linf":
            inside = (images >= self.low[rows]) & (images <= self.high[rows])
            return inside.flatten(1).all(1)
        inside = ((images >= 0) & (images <= 1)).flatten(1).all(1)
        moved = _difference(images, self.inputs[rows])
        return inside & (length(moved, "l2") <= self.eps * (1 + _SLACK))

    def keep(self, images: Tensor) -> Tensor:
        """The images that are in it; elsewhere the inputs."""
        return torch.where(over_samples(self.contains(images), images), images, self.inputs)

    def project(self, images: Tensor) -> Tensor:
        """Nearest point for L-inf; for L2, scaled back towards the inputs, then clipped."""
        if self.norm == "linf":
            return images.clamp(self.low, self.high)
        moved = _difference(images, self.inputs)
        nearer = (self.inputs + moved * self._factor(moved)).clamp(0, 1)
        return self._pulled_in(nearer.to(images.dtype))

    def uniform(self, draws: Keyed) -> Tensor:
        """Random point: uniform in the clipped L-inf ball, or in the L2 ball, then clipped."""
        shape = self.inputs.shape[1:]
        if self.norm == "linf":
            return self.project(self.low + draws.at(0).uniform(*shape) * (self.high - self.low))
        radius = self.eps * draws.at(0).uniform() ** (1 / max(1, self.inputs[:1].numel()))
        direction = unit(draws.at(1).normal(*shape), "l2")
        return self.project(self.inputs + direction * over_samples(radius, self.inputs))

    def border(self, draws: Keyed) -> Tensor:
        """Random point as far from each image as the ball allows: a corner, or on the sphere."""
        shape = self.inputs.shape[1:]
        if self.norm == "linf":
            return self.project(self.inputs + self.eps * draws.signs(*shape))
        return self.project(self.inputs + self.eps * unit(draws.normal(*shape), "l2"))

    def _factor(self, moved: Tensor) -> Tensor:
        lengths = length(moved, "l2").clamp_min(torch.finfo(torch.float64).tiny)
        return over_samples((self.eps / lengths).clamp_max(1), moved).to(moved)

    def _pulled_in(self, images: Tensor) -> Tensor:
        """What rounding left outside the L2 ball, moved towards the inputs until it is inside."""
        share = _SLACK
        while share < 1 and bool((outside := ~self.contains(images)).any()):
            moved = _difference(images, self.inputs)
            nearer = self.inputs + moved * self._factor(moved) * (1 - share)
            images = torch.where(over_samples(outside, images), nearer.to(images.dtype), images)
            share *= 4
        return self.keep(images)


def _difference(images: Tensor, inputs: Tensor) -> Tensor:
    """How far the images are from the inputs, exactly where they are in half precision."""
    if images.element_size() > _HALF:
        return images - inputs
    return images.double() - inputs.double()


def _bound(inputs: Tensor, by: float) -> Tensor:
    """The inputs moved by a number, and clipped."""
    if inputs.element_size() > _HALF:
        return (inputs + by).clamp(0, 1)
    exact = (inputs.double() + by).clamp(0, 1)
    rounded = exact.to(inputs.dtype)
    beyond = rounded.double() < exact if by < 0 else rounded.double() > exact
    bits = rounded.view(torch.int16) + torch.where(beyond, 1 if by < 0 else -1, 0).to(torch.int16)
    return bits.view(inputs.dtype)


def length(x: Tensor, norm: Norm) -> Tensor:
    """Norm of each sample (N, ...), as (N,) in double precision."""
    flat = x.flatten(1)
    if norm == "linf":
        return flat.abs().amax(1).double() if flat.shape[1] else flat.new_zeros(len(x)).double()
    lengths: Tensor = torch.linalg.vector_norm(flat, dim=1, dtype=torch.float64)
    return lengths


def over_samples(values: Tensor, like: Tensor) -> Tensor:
    """One value per sample (N,), as (N, 1, ...) to go with images."""
    return values.view(-1, *(1,) * (like.dim() - 1))


def gaussian_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of the shape and type of x."""
    return torch.randn(x.shape, generator=generator, device=generator.device).to(x)


def unit(gradient: Tensor, norm: Norm) -> Tensor:
    """Step of length 1 along which a linear function of this gradient rises most."""
    if norm == "linf":
        return gradient.sign()
    lengths = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    tiny = torch.finfo(gradient.dtype).tiny
    return gradient / over_samples(lengths.clamp_min(tiny), gradient)
