"""Products of bytes by the kernels in C++."""

import torch
from torch import Tensor

from nenni.deployment.convolution import Dense, Skipping
from nenni.deployment.plane import Plane


def dense(layer: Dense, codes: Tensor, residual: Tensor | None, kernel: str) -> Tensor:
    """Codes, or numbers (N, H, W, C), of a layer that computes all neurons."""
    result: Tensor = layer.compiled.run(codes, residual, kernel)
    return result


def skipping(layer: Skipping, codes: Tensor, residual: Tensor | None, kernel: str) -> Tensor:
    """Codes, or numbers (N, H, W, C), of a layer that skips tiles."""
    fewer = codes
    if layer.table is not None:
        fewer = torch.ops.nenni_deployment.translated(codes, layer.table)
    result: Tensor = layer.compiled.run(codes, fewer, residual, kernel)
    return result


def to_codes(x: Tensor, plane: Plane) -> Tensor:
    """Codes of numbers (N, C, H, W)."""
    low, high, zero = plane.lowest, plane.limit, plane.zero
    result: Tensor = torch.ops.nenni_deployment.to_codes(
        x, plane.scale, low, high, zero, plane.padding, plane.shape[2]
    )
    return result
