"""Q(x) = s clip(round(x / s), -q, q), and its gradient: 1 where nothing was clipped, else 0."""

import torch
from torch import Tensor

from nenni.method.fused.operators import elementwise, register


def round_to_codes(x: Tensor, scale: Tensor, q: int) -> Tensor:
    """The multiple of the scale that is nearest to x, q of them at most."""
    if torch.compiler.is_compiling():  # torch 2.11 loses the gradient of what is changed in place
        return (x / scale).round().clamp(-q, q) * scale
    return (x / scale).round_().clamp_(-q, q).mul_(scale)


def unclipped(gradient: Tensor, x: Tensor, scale: Tensor, limit: float) -> Tensor:
    """The gradient where x is within so many times the scale, 0 elsewhere."""
    codes = (x / scale).to(gradient.dtype)
    clip_gradient = torch.ops.aten.hardtanh_backward.grad_input
    inside: Tensor = clip_gradient(gradient, codes, -limit, limit, grad_input=codes)
    return inside


_round = elementwise(
    """template <typename T> T round_to_codes(T x, T scale, T q) {
        T ratio = x / scale, code = rint(ratio), least = -q;
        return scale * (code < least ? least : code > q ? q : code);
    }""",
    q=0.0,
)
_unclipped = elementwise(
    """template <typename T> T unclipped(T gradient, T x, T scale, T limit) {
        T code = x / scale;
        return code <= -limit || code >= limit ? T(0) : gradient;
    }""",
    limit=0.0,
)

register(
    "round_to_codes(Tensor x, Tensor scale, int q) -> Tensor",
    round_to_codes,
    lambda x, scale, q: _round(x, scale, q=float(q)),
    lambda x, scale, q: torch.empty_like(x),
)
register(
    "unclipped(Tensor gradient, Tensor x, Tensor scale, float limit) -> Tensor",
    unclipped,
    lambda gradient, x, scale, limit: _unclipped(gradient, x, scale, limit=limit),
    lambda gradient, x, scale, limit: torch.empty_like(gradient),
)
