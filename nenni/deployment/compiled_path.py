"""Products of bytes by the kernels in C++."""

import torch
from torch import Tensor

from nenni.deployment.convolution import Dense, Skipping
from nenni.deployment.plane import Plane


def dense(layer: Dense, codes: Tensor, residual: Tensor | None, kernel: str) -> Tensor:
    """Codes, or numbers (N, H, W, C), of a layer that computes all neurons."""
    written, product = layer.written, layer.product
    result: Tensor = torch.ops.nenni_deployment.dense(
        codes,
        product.parts,
        product.channels,
        product.signed,
        product.narrow,
        layer.parts,
        residual,
        written.bounds,
        written.plane.shape,
        written.as_numbers,
        kernel,
    )
    return result


def skipping(layer: Skipping, codes: Tensor, residual: Tensor | None, kernel: str) -> Tensor:
    """Codes, or numbers (N, H, W, C), of a layer that skips tiles."""
    exact, projection, approximate = layer.exact, layer.projection, layer.approximate
    fewer = codes
    if layer.table is not None:
        fewer = torch.ops.nenni_deployment.translated(codes, layer.table)
    result: Tensor = torch.ops.nenni_deployment.skipping(
        codes,
        fewer,
        exact.product.signed,
        exact.product.narrow,
        projection.product.parts,
        projection.product.channels,
        projection.parts,
        projection.written.bounds,
        projection.written.plane.shape,
        approximate.product.parts,
        approximate.parts,
        [layer.score_factor, layer.score_offset],
        layer.magnitude,
        exact.product.parts,
        exact.product.channels,
        exact.parts,
        residual,
        exact.written.bounds,
        exact.written.plane.shape,
        exact.written.as_numbers,
        layer.tile,
        layer.kept,
        kernel,
    )
    return result


def to_codes(x: Tensor, plane: Plane) -> Tensor:
    """Codes of numbers (N, C, H, W)."""
    rows = x.permute(0, 2, 3, 1).contiguous()
    low, high, zero = plane.lowest, plane.limit, plane.zero
    result: Tensor = torch.ops.nenni_deployment.to_codes(
        rows, plane.scale, low, high, zero, plane.padding, plane.shape[2]
    )
    return result
