"""The balls that attacks stay in: all points of [0, 1] within eps of an image, L-inf or L2."""

import torch
from torch import Tensor

from nenni.core.types import Norm

_SLACK = 1e-6
"""Share of eps by which rounding may take a point out of its L2 ball."""


class Ball:
    """Points of [0, 1] within eps of each image.

    L-inf bounds, clamp(x - eps, 0, 1) and clamp(x + eps, 0, 1), are kept exactly as rounded, L2
    within one part in a million of eps.

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
            self.low, self.high = (inputs - eps).clamp(0, 1), (inputs + eps).clamp(0, 1)

    def of(self, indices: Tensor) -> "Ball":
        """The ball of some of the images."""
        return Ball(self.inputs[indices], self.eps, self.norm)

    def contains(self, images: Tensor) -> Tensor:
        """Which images are in it, as (N,) of bool; none that is not finite."""
        if self.norm == "linf":
            inside = (images >= self.low) & (images <= self.high)
            return inside.flatten(1).all(1)
        inside = ((images >= 0) & (images <= 1)).flatten(1).all(1)
        return inside & (length(images - self.inputs, "l2") <= self.eps * (1 + _SLACK))

    def keep(self, images: Tensor) -> Tensor:
        """The images that are in it; elsewhere the inputs."""
        return torch.where(over_samples(self.contains(images), images), images, self.inputs)

    def project(self, images: Tensor) -> Tensor:
        """Nearest point for L-inf; for L2, scaled back towards the inputs, then clipped."""
        if self.norm == "linf":
            return images.clamp(self.low, self.high)
        moved = images - self.inputs
        return self._pulled_in((self.inputs + moved * self._factor(moved)).clamp(0, 1))

    def uniform(self, generator: torch.Generator) -> Tensor:
        """Random point: uniform in the clipped L-inf ball, or in the L2 ball, then clipped."""
        if self.norm == "linf":
            u = torch.rand(self.low.shape, generator=generator, device=generator.device)
            return self.project(self.low + u.to(self.low) * (self.high - self.low))
        u = torch.rand(len(self.inputs), generator=generator, device=generator.device)
        radius = self.eps * u.to(self.inputs) ** (1 / max(1, self.inputs[:1].numel()))
        direction = unit(gaussian_like(self.inputs, generator), "l2")
        return self.project(self.inputs + direction * over_samples(radius, self.inputs))

    def _factor(self, moved: Tensor) -> Tensor:
        lengths = length(moved, "l2").clamp_min(torch.finfo(torch.float64).tiny)
        return over_samples((self.eps / lengths).clamp_max(1), moved).to(moved)

    def _pulled_in(self, images: Tensor) -> Tensor:
        """What rounding left outside the L2 ball, moved towards the inputs until it is inside."""
        share = _SLACK
        while share < 1 and bool((outside := ~self.contains(images)).any()):
            moved = images - self.inputs
            nearer = self.inputs + moved * self._factor(moved) * (1 - share)
            images = torch.where(over_samples(outside, images), nearer, images)
            share *= 4
        return self.keep(images)


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
