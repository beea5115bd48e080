"""The same products by torch alone: bytes gathered to patches, times prepacked or plain weights."""

import torch
from torch import Tensor

from nenni.deployment.convolution import Dense, Product, Skipping
from nenni.deployment.plane import Plane
from nenni.method.ranking import first_top_k
from nenni.method.selection.block import Block


def dense(layer: Dense, codes: Tensor, residual: Tensor | None) -> Tensor:
    """What the kernel ``dense`` gives: codes, or numbers (N, H, W, C)."""
    patches = _patches(layer.product, codes)
    return _write(layer, _values(layer, _sums(layer.product, patches), residual), len(codes))


def skipping(layer: Skipping, codes: Tensor, residual: Tensor | None) -> Tensor:
    """What the kernel ``skipping`` gives: codes, or numbers (N, H, W, C)."""
    n, exact = len(codes), layer.exact
    fewer = codes if layer.table is None else layer.table[codes.long()]
    projected = dense(layer.projection, fewer, None)
    sums = _sums(layer.approximate.product, _patches(layer.approximate.product, projected))
    channels, positions = exact.product.channels, len(exact.product.position)
    score = sums.float() * layer.score_factor[:channels] + layer.score_offset[:channels]
    score = score.unflatten(0, (n, positions)).transpose(1, 2)
    if layer.magnitude:
        score = score.abs()
    block = Block(0.0, *layer.tile)
    means = block.tile_means(score)
    tiles = means.shape[1] * means.shape[2]
    chosen = first_top_k(means.flatten(1), layer.kept / tiles).view_as(means)
    values = _values(layer.approximate, sums, residual).unflatten(0, (n, positions))
    patches = _patches(exact.product, codes).unflatten(0, (n, positions))
    wide, high = layer.tile
    for block_of_channels in range(chosen.shape[1]):
        image, tile = chosen[:, block_of_channels].nonzero(as_tuple=True)
        rows = tile[:, None] * high + torch.arange(high)
        image = image[:, None].expand_as(rows)[rows < positions]
        rows = rows[rows < positions]
        if not len(rows):
            continue
        first, last = block_of_channels * wide, min((block_of_channels + 1) * wide, channels)
        part = _sums(exact.product, patches[image, rows], slice(first, last))
        added = None if residual is None else _added(exact, residual).view_as(values)
        few = _affine(exact, part, slice(first, last))
        if added is not None:
            few = few + added[image, rows, first:last]
        values[image, rows, first:last] = few
    return _write(exact, values.flatten(0, 1), n)


def to_codes(x: Tensor, plane: Plane) -> Tensor:
    """Codes of numbers (N, C, H, W)."""
    low, high = plane.lowest, plane.limit
    code = (x / plane.scale).round().clamp(low, high).add(plane.zero).to(torch.uint8)
    into = code.new_full((len(x), *plane.shape), plane.zero)
    inside(plane, into).copy_(code.permute(0, 2, 3, 1))
    return into


def inside(plane: Plane, codes: Tensor) -> Tensor:
    """What a plane's padding surrounds, (N, H, W, C)."""
    p = plane.padding
    return codes[:, p : p + plane.height, p : p + plane.width, : plane.channels]


def _patches(product: Product, codes: Tensor) -> Tensor:
    """Codes less their zero at each tap of each position: (N M, taps C), int8."""
    zero = 128 if product.signed else 0
    places = product.position[:, None] + product.tap
    depth = codes.shape[3]
    index = (places[..., None] + torch.arange(depth, dtype=torch.int32)).flatten(1).long()
    return (codes.flatten(1)[:, index].flatten(0, 1).to(torch.int16) - zero).to(torch.int8)


def _sums(product: Product, patches: Tensor, channels: slice = slice(None)) -> Tensor:
    """Integer sums (rows, n), int32."""
    codes = product.codes[channels].flatten(2).transpose(1, 2)
    depth = patches.shape[1] // codes.shape[1]
    weights = torch.nn.functional.pad(codes, (0, depth - codes.shape[2])).flatten(1)
    sums: Tensor = torch._int_mm(patches.contiguous(), weights.t().contiguous())
    return sums


def _affine(layer: Dense, sums: Tensor, channels: slice = slice(None)) -> Tensor:
    scale = layer.written.plane.scale
    factor, offset = (x[channels] / scale for x in (layer.factor, layer.offset))
    return sums.float() * factor.float() + offset.float()


def _added(layer: Dense, residual: Tensor) -> Tensor:
    plane = layer.written.residual
    assert plane is not None
    codes = inside(plane, residual).flatten(0, 2).float() - plane.zero
    return codes * layer.written.residual_factor


def _values(layer: Dense, sums: Tensor, residual: Tensor | None) -> Tensor:
    y = _affine(layer, sums)
    return y if residual is None else y + _added(layer, residual)


def _write(layer: Dense, values: Tensor, images: int) -> Tensor:
    written, plane = layer.written, layer.written.plane
    values = values.unflatten(0, (images, plane.height, plane.width))
    if written.as_numbers:
        into = values.new_zeros(images, *plane.shape)
        inside(plane, into).copy_(values.clamp(written.low, written.high))
        return into
    codes = values.round().clamp(written.low, written.high).add(plane.zero).to(torch.uint8)
    into = torch.full((images, *plane.shape), plane.zero, dtype=torch.uint8)
    inside(plane, into).copy_(codes)
    return into
