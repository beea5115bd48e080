"""z' = m z + (1 - m) z~, with a mask that is constant in the backward pass."""

from typing import Any

import torch
from torch import Tensor

from nenni.core.runtime import as_one_kernel
from nenni.method.fused.bits import bits_of
from nenni.method.fused.mixing import as_numbers, mixed


def mix(z: Tensor, noise: Tensor, mask: Tensor) -> Tensor:
    """Each neuron of `z` where the mask is True, of `noise` where it is not.

    Equal to ``torch.where(mask, z, noise)`` where both and their difference are finite, bit by bit,
    and several times as fast on a CPU; what is not finite in either stays visible in the result.

    Parameters
    ----------
    z, noise : Tensor
        Of one shape and type.
    mask : Tensor
        Boolean, of the same shape.
    """
    z_mixed: Tensor = _Mix.apply(z, noise, mask)
    return z_mixed


def with_gradient_of(z: Tensor, value: Tensor) -> Tensor:
    """`value`, whose gradient goes to `z` as if it were z.

    Athalye, Carlini, Wagner: Obfuscated gradients give a false sense of security, ICML 2018,
    section 4.1: backward pass differentiable approximation.
    """
    approximated: Tensor = _GradientOf.apply(z, value.detach())
    return approximated


class _GradientOf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, noise: Tensor, mask: Tensor) -> Tensor:
        ctx.bits = bits_of(mask) if any(ctx.needs_input_grad) else None
        ctx.save_for_backward(mask if ctx.bits is None else None)
        if as_one_kernel(z):
            z_mixed: Tensor = torch.ops.nenni.mixed(z, noise, mask)
            return z_mixed
        return mixed(z, noise, mask)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        mask = ctx.saved_tensors[0] if ctx.bits is None else ctx.bits.mask()
        (gradient,) = gradients
        if as_one_kernel(gradient):
            to_z = gradient * mask
        else:
            to_z = as_numbers(mask, gradient).mul_(gradient)
        return to_z, gradient - to_z if ctx.needs_input_grad[1] else None, None
