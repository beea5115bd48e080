"""z' = m z + (1 - m) z~ for a mask of 0 and 1."""

import torch
from torch import Tensor

from nenni.core.runtime import as_bytes
from nenni.method.fused.operators import elementwise, register


def mixed(z: Tensor, noise: Tensor, mask: Tensor) -> Tensor:
    """Each neuron of `z` where the mask is True, of `noise` where it is not."""
    if torch.compiler.is_compiling():
        return torch.lerp(noise, z, mask.to(z.dtype))
    m = as_numbers(mask, z)
    return torch.lerp(noise, z, m, out=m)


def as_numbers(mask: Tensor, like: Tensor) -> Tensor:
    """A boolean mask as 0 and 1 in new memory, laid out as `like`; bytes convert the fastest."""
    return torch.empty_like(like).copy_(as_bytes(mask))


_mixed = elementwise(
    """template <typename T> T mixed(T z, T noise, T mask) {
        T nothing = T(0) * (z - noise);
        return (mask != T(0) ? z : noise) + nothing;
    }"""
)

register(
    "mixed(Tensor z, Tensor noise, Tensor mask) -> Tensor",
    mixed,
    _mixed,
    lambda z, noise, mask: torch.empty_like(z),
)
