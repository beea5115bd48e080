"""Q_w, Q_a and Q_p: symmetric rounding to few bits, with a straight-through gradient.

The gradient is 1 inside the representable range and 0 where a value was clipped. Masked gradients
are a hazard of this very step: without the straight-through estimator a network looks robust only
because its gradient is zero (Athalye, Carlini, Wagner, ICML 2018).
"""

from typing import Any

import torch
from torch import Tensor

NOT_ROUNDED = 16
"""From this number of bits on, values are left as they are."""


def levels(bits: int) -> int:
    """Largest integer of a symmetric code: 7 for 4 bits."""
    return int(2 ** (bits - 1)) - 1


def quantise(x: Tensor, scale: Tensor, bits: int) -> Tensor:
    """Round a tensor of any shape to multiples of one scale, Q_a and Q_p.

    Parameters
    ----------
    x : Tensor
        Values, any shape.
    scale : Tensor
        The step between two codes, one positive number, constant in the backward pass.
    bits : int
        Width of the code; 16 or more leaves `x` as it is.
    """
    if bits >= NOT_ROUNDED:
        return x
    return _round(x, scale, levels(bits))


def quantise_weight(weight: Tensor, bits: int) -> Tensor:
    """Round weights (n, ...) with one scale per output neuron, Q_w: the largest weight is exact."""
    if bits >= NOT_ROUNDED:
        return weight
    q = levels(bits)
    with torch.no_grad():
        largest = weight.flatten(1).abs().amax(1).clamp_min(torch.finfo(weight.dtype).tiny)
        scale = (largest / q).view(-1, *(1,) * (weight.dim() - 1))
    return _round(weight, scale, q)


@torch.no_grad()
def mse_scale(x: Tensor, bits: int, candidates: int = 40) -> Tensor:
    """Scale for :func:`quantise` with the least squared error on a sample of values.

    Clipping a few large values costs less than coarse steps for all the others; the search is over
    `candidates` equal parts of the largest magnitude.
    """
    largest = x.abs().amax().clamp_min(torch.finfo(x.dtype).tiny)
    if bits >= NOT_ROUNDED:
        return largest
    scales = [
        largest * (i / candidates) / levels(bits) for i in range(candidates // 8, candidates + 1)
    ]
    errors = torch.stack([(quantise(x, scale, bits) - x).square().mean() for scale in scales])
    return scales[int(errors.argmin())]


class _StraightThrough(torch.autograd.Function):
    """scale * clip(round(x / scale), -q, q); the gradient passes where nothing was clipped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, q: int) -> Tensor:
        codes = (x / scale).round_()
        ctx.save_for_backward(codes.abs() <= q)
        return codes.clamp_(-q, q).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = ctx.saved_tensors
        return torch.where(inside, gradients[0], 0), None, None


def _round(x: Tensor, scale: Tensor, q: int) -> Tensor:
    rounded: Tensor = _StraightThrough.apply(x, scale, q)
    return rounded
