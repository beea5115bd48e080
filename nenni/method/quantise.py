"""Q_w, Q_a and Q_p: symmetric rounding to few bits, with a straight-through gradient.

The gradient is 1 inside the representable range and 0 where a value was clipped. Masked gradients
are a hazard of this very step: without the straight-through estimator a network looks robust only
because its gradient is zero (Athalye, Carlini, Wagner, ICML 2018).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from nenni.core.runtime import as_one_kernel, may_look
from nenni.method.fused.rounding import round_to_codes, unclipped

NOT_ROUNDED = 32
"""At this number of bits values are left as they are."""
_CODE = torch.int16
_CANDIDATES = 40
"""Parts of the largest magnitude among which a scale is searched."""


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
        Width of the code; 32 leaves `x` as it is.
    """
    if bits >= NOT_ROUNDED:
        return x
    return _round(x, scale, levels(bits))


def on_rounded(
    operation: Callable[[Tensor], Tensor], x: Tensor, scale: Tensor, bits: int, values: bool
) -> Tensor:
    """Apply an operation to the rounded values, keeping only `x` for its backward pass.

    What a layer has rounded is found again from `x`, which it keeps anyway: two paths then take
    little more memory than one.

    Parameters
    ----------
    operation : callable
        Linear in its input, such as a convolution.
    x, scale, bits
        As in :func:`quantise`.
    values : bool
        Whether the backward pass needs the rounded values, for a gradient of the weights, or just
        their shape.
    """
    rounded = quantise(x, scale, bits)
    if rounded is x or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return operation(rounded)  # a compiled graph itself chooses what it keeps
    kept = x.detach()
    version = kept._version

    def again() -> Tensor:
        if not values:
            return kept
        if kept._version != version:
            raise RuntimeError(
                "the input of a layer was modified in place before its backward pass"
            )
        return quantise(kept, scale, bits)

    return _without_keeping(operation, rounded, again)


def on_codes(operation: Callable[[Tensor], Tensor], x: Tensor, scale: Tensor, bits: int) -> Tensor:
    """As :func:`on_rounded`, of values that the layer does not keep: it keeps codes of 16 bits.

    For a gradient of the weights. Where codes need more than 16 bits, or values have no more, or on
    a GPU, whose kernels round and clip at once, `x` is kept.
    """
    q = levels(bits)
    spared = x.element_size() > _CODE.itemsize and q < torch.iinfo(_CODE).max
    if not (spared and torch.is_grad_enabled() and may_look(x)):
        return on_rounded(operation, x, scale, bits, values=True)
    rounded, codes = _Coded.apply(x, scale, q)
    dtype = x.dtype  # a reference to x itself would keep it

    def again() -> Tensor:
        values: Tensor = codes.to(dtype).clamp_(-q, q).mul_(scale)
        return values

    return _without_keeping(operation, rounded, again)


def _without_keeping(
    operation: Callable[[Tensor], Tensor], rounded: Tensor, again: Callable[[], Tensor]
) -> Tensor:
    """Apply an operation that finds its input again in its backward pass, and does not keep it."""
    place, size = rounded.data_ptr(), rounded.numel()

    def pack(tensor: Tensor) -> Tensor | torch.Size:
        saved = tensor.data_ptr() == place and tensor.numel() == size
        return tensor.shape if saved else tensor

    def unpack(packed: Tensor | torch.Size) -> Tensor:
        return packed if isinstance(packed, Tensor) else again().view(packed)

    with saved_tensors_hooks(pack, unpack):
        return operation(rounded)


def quantise_weight(weight: Tensor, bits: int) -> Tensor:
    """Round weights (n, ...) with one scale per output neuron, Q_w: the largest weight is exact."""
    if bits >= NOT_ROUNDED:
        return weight
    return _round(weight, weight_scale(weight, bits), levels(bits))


@torch.no_grad()
def weight_scale(weight: Tensor, bits: int) -> Tensor:
    """Step of :func:`quantise_weight`, (n, 1, ...): the largest weight over the largest code."""
    scale = weight.flatten(1).abs().amax(1) / levels(bits)
    return scale.clamp_min_(least_step(weight.dtype)).view(-1, *(1,) * (weight.dim() - 1))


def joined(calls: Sequence[Tensor]) -> Tensor:
    """The values of several tensors in one; a single tensor is left as it is."""
    return calls[0] if len(calls) == 1 else torch.cat([x.flatten() for x in calls])


@torch.no_grad()
def mse_scale(x: Tensor, bits: int) -> Tensor:
    """Scale for :func:`quantise` with the least squared error on a sample of values.

    Clipping a few large values costs less than coarse steps for all the others; the search is over
    equal parts of the largest magnitude. Errors are in single precision at least: squares of small
    halves are 0.
    """
    largest = x.abs().amax()
    if bits >= NOT_ROUNDED:
        return largest
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    parts = [largest.to(wide) * (i / _CANDIDATES) for i in range(_CANDIDATES // 8, _CANDIDATES + 1)]
    scales = [(part / levels(bits)).clamp_min(least_step(x.dtype)).to(x.dtype) for part in parts]
    errors = [(quantise(wide, s.to(wide), bits) - wide).square().mean() for s in scales]
    return scales[int(torch.stack(errors).argmin())]


def least_step(dtype: torch.dtype) -> float:
    """The least step of a rounding: the least normal number, of float16 the least number."""
    info = torch.finfo(dtype)
    return info.tiny * info.eps if dtype == torch.float16 else info.tiny


class StraightThrough(torch.autograd.Function):
    """scale * clip(round(x / scale), -q, q); the gradient passes where nothing was clipped.

    What was clipped is found again from x, which costs no memory where a layer keeps x anyway.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, q: int) -> Tensor:
        """Round to multiples of the scale, and clip to q of them."""
        ctx.save_for_backward(x, scale)
        ctx.limit = q + 0.5
        if as_one_kernel(x):
            rounded: Tensor = torch.ops.nenni.round_to_codes(x, scale, q)
            return rounded
        return round_to_codes(x, scale, q)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """The gradient where nothing was clipped, 0 elsewhere."""
        x, scale = ctx.saved_tensors
        limit, (gradient,) = ctx.limit, gradients
        if torch.is_grad_enabled():  # second derivatives are asked for
            inside = torch.ops.aten.hardtanh_backward(gradient, x / scale, -limit, limit)
        elif as_one_kernel(x):
            inside = torch.ops.nenni.unclipped(gradient, x, scale, limit)
        else:
            inside = unclipped(gradient, x, scale, limit)
        return inside, None, None


class _Coded(torch.autograd.Function):
    """What :class:`StraightThrough` gives, and its codes, q + 1 where one was clipped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, q: int) -> tuple[Tensor, Tensor]:
        ratio = (x / scale).round_().clamp_(-q - 1, q + 1)
        codes = ratio.to(_CODE)
        ctx.save_for_backward(codes)
        ctx.mark_non_differentiable(codes)
        ctx.limit = q + 0.5
        return ratio.clamp_(-q, q).mul_(scale), codes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (codes,), limit, gradient = ctx.saved_tensors, ctx.limit, gradients[0]
        inside = torch.ops.aten.hardtanh_backward(gradient, codes.to(gradient.dtype), -limit, limit)
        return inside, None, None


def _round(x: Tensor, scale: Tensor, q: int) -> Tensor:
    rounded: Tensor = StraightThrough.apply(x, scale, q)
    return rounded
