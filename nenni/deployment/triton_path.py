"""The same products by kernels in Triton, for GPUs: one program a tile, all or the chosen ones."""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from nenni.deployment.convolution import Dense, Skipping, Written
from nenni.method.ranking import first_top_k

_DENSE_TILE = (64, 64)
"""Channels and positions of a program where nothing is chosen."""
_LEAST = 16
"""Rows and columns of the smallest product of a matrix unit."""
_DEPTH, _LEAST_DEPTH = 64, 32
"""Input channels at once."""


@triton.jit
def _sums(  # type: ignore[no-untyped-def]
    codes, weights, tap, place, row, channel, column, n,
    TAPS: tl.constexpr, DEPTH: tl.constexpr, ZERO: tl.constexpr, AT_ONCE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DIVISOR: tl.constexpr,
):  # fmt: skip
    """Sums over taps and input channels of (code - zero) times weight: int32 (rows, columns)."""
    acc = tl.zeros((ROWS, COLUMNS), tl.int32)
    for t in range(TAPS):
        shift = tl.multiple_of(tl.load(tap + t), DIVISOR)
        for first in range(0, DEPTH, AT_ONCE):
            depth = first + tl.arange(0, AT_ONCE)
            deep = depth < DEPTH
            at = codes + (place + shift)[:, None] + depth[None, :]
            x = tl.load(at, mask=row[:, None] & deep[None, :], other=ZERO)
            x = (x.to(tl.int32) - ZERO).to(tl.int8)
            of = weights + (t * DEPTH + depth)[:, None] * n + channel[None, :]
            w = tl.load(of, mask=deep[:, None] & column[None, :], other=0)
            acc += tl.dot(x, w, out_dtype=tl.int32)
    return acc


@triton.jit
def _rounded(y):  # type: ignore[no-untyped-def]
    """The nearest whole number, the even one of two, of |y| < 2^22."""
    return (y + 12582912.0) - 12582912.0


@triton.jit
def _tile(  # type: ignore[no-untyped-def]
    codes, weights, tap, position, chosen, factor, offset, score_factor, score_offset, means,
    residual, residual_position, out, out_position,
    code_bytes, residual_bytes, out_bytes, positions, n, tiles, along,
    low, high, zero, residual_factor,
    TAPS: tl.constexpr, DEPTH: tl.constexpr, ZERO: tl.constexpr, AT_ONCE: tl.constexpr,
    HIGH: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    CHOSEN: tl.constexpr, SCORED: tl.constexpr, MAGNITUDE: tl.constexpr,
    ADDED: tl.constexpr, NUMBERS: tl.constexpr,
    DIVISOR: tl.constexpr, DIVISOR_OUT: tl.constexpr, DIVISOR_ADDED: tl.constexpr,
):  # fmt: skip
    """One tile of one image: its sums, what is written of them, and the mean of its scores.

    ``tiles`` are the programs of an image, ``along`` the tiles along positions. With CHOSEN the
    tile's number is read from a list of each image. A DIVISOR of all offsets in a plane lets
    several bytes be read at once.
    """
    image = (tl.program_id(0) // tiles).to(tl.int64)
    number = tl.program_id(0) % tiles
    if CHOSEN:
        number = tl.load(chosen + image * tiles + number).to(tl.int32)
    r, c = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    m, channel = number % along * HIGH + r, number // along * WIDE + c
    row, column = (r < HIGH) & (m < positions), (c < WIDE) & (channel < n)
    place = tl.multiple_of(tl.load(position + m, mask=row, other=0), DIVISOR)
    acc = _sums(
        codes + image * code_bytes, weights, tap, place, row, channel, column, n,
        TAPS, DEPTH, ZERO, AT_ONCE, ROWS, COLUMNS, DIVISOR,
    ).to(tl.float32)  # fmt: skip
    here = row[:, None] & column[None, :]
    if SCORED:
        scale = tl.load(score_factor + channel, mask=column, other=0.0)
        start = tl.load(score_offset + channel, mask=column, other=0.0)
        score = acc * scale[None, :] + start[None, :]
        score = tl.abs(score) if MAGNITUDE else score
        total = tl.sum(tl.sum(tl.where(here, score, 0.0), 1), 0)
        count = tl.sum(row.to(tl.float32), 0) * tl.sum(column.to(tl.float32), 0)
        tl.store(means + image * tiles + number, total / count)
    scale = tl.load(factor + channel, mask=column, other=0.0)
    start = tl.load(offset + channel, mask=column, other=0.0)
    y = acc * scale[None, :] + start[None, :]
    if ADDED:
        added = tl.load(residual_position + m, mask=row, other=0)
        added = tl.multiple_of(added, DIVISOR_ADDED)
        at = residual + image * residual_bytes + added[:, None] + channel[None, :]
        y += tl.load(at, mask=here, other=0).to(tl.float32) * residual_factor
    y = tl.minimum(tl.maximum(y, low), high)
    into = tl.multiple_of(tl.load(out_position + m, mask=row, other=0), DIVISOR_OUT)
    at = out + image * out_bytes + into[:, None] + channel[None, :]
    if NUMBERS:
        tl.store(at, y, mask=here)
    else:
        tl.store(at, (_rounded(y) + zero).to(tl.uint8), mask=here)


def dense(layer: Dense, codes: Tensor, residual: Tensor | None) -> Tensor:
    """What the kernel ``dense`` gives: codes, or numbers (N, H, W, C)."""
    result = _empty(layer.written, codes)
    positions = triton.next_power_of_2(len(layer.product.position))
    tile = _DENSE_TILE[0], min(_DENSE_TILE[1], positions)
    _launch(layer, codes, residual, result, tile)
    return result


def skipping(layer: Skipping, codes: Tensor, residual: Tensor | None) -> Tensor:
    """What the kernel ``skipping`` gives: codes, or numbers (N, H, W, C)."""
    fewer = codes if layer.table is None else layer.table[codes.int()]
    projected = dense(layer.projection, fewer, None)
    result = _empty(layer.exact.written, codes)
    along, across = _tiles(layer.exact, layer.tile)
    means = codes.new_empty(len(codes), across * along, dtype=torch.float32)
    _launch(layer.approximate, projected, residual, result, layer.tile, means=means, scores=layer)
    if layer.kept:
        mask = first_top_k(means, layer.kept / (across * along))
        order = mask.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
        chosen = order[:, : layer.kept].int().contiguous()
        _launch(layer.exact, codes, residual, result, layer.tile, chosen=chosen)
    return result


def _empty(written: Written, codes: Tensor) -> Tensor:
    """Where a layer writes: all padding."""
    kind, zero = (torch.float32, 0) if written.as_numbers else (torch.uint8, written.plane.zero)
    return codes.new_full((len(codes), *written.plane.shape), zero, dtype=kind)


def _tiles(layer: Dense, tile: tuple[int, int]) -> tuple[int, int]:
    """Tiles along positions and along channels."""
    wide, high = tile
    return -(-len(layer.product.position) // high), -(-layer.product.channels // wide)


def _launch(
    layer: Dense,
    codes: Tensor,
    residual: Tensor | None,
    result: Tensor,
    tile: tuple[int, int],
    *,
    chosen: Tensor | None = None,
    means: Tensor | None = None,
    scores: Skipping | None = None,
) -> None:
    """Write a layer's neurons, those of all tiles or of the chosen ones, and the tiles' means."""
    product, written, (wide, high) = layer.product, layer.written, tile
    along, across = _tiles(layer, tile)
    tiles = along * across if chosen is None else chosen.shape[1]
    if not len(codes) * tiles:
        return
    factor, offset, out_position, *added = layer.parts
    low, most, zero, residual_factor = written.bounds
    taps, depth, n = product.by_taps.shape
    with torch.cuda.device(codes.device if codes.is_cuda else -1):  # -1 leaves it as it is
        _tile[(len(codes) * tiles,)](
            codes, product.by_taps, product.tap, product.position, chosen, factor, offset,
            None if scores is None else scores.score_factor,
            None if scores is None else scores.score_offset,
            means, residual, added[0] if added else None, result, out_position,
            codes[0].numel(), 0 if residual is None else residual[0].numel(), result[0].numel(),
            len(product.position), n, tiles, along, low, most, zero, residual_factor,
            TAPS=taps, DEPTH=depth, ZERO=128 if product.signed else 0,
            AT_ONCE=min(_DEPTH, max(_LEAST_DEPTH, triton.next_power_of_2(depth))),
            HIGH=high, WIDE=wide, ROWS=max(_LEAST, triton.next_power_of_2(high)),
            COLUMNS=max(_LEAST, triton.next_power_of_2(wide)),
            CHOSEN=chosen is not None, SCORED=scores is not None,
            MAGNITUDE=scores is not None and scores.magnitude,
            ADDED=residual is not None, NUMBERS=written.as_numbers,
            DIVISOR=_divisor(codes), DIVISOR_OUT=_divisor(result),
            DIVISOR_ADDED=1 if residual is None else _divisor(residual),
        )  # fmt: skip


def _divisor(plane: Tensor) -> int:
    """Of all offsets of positions in a plane (N, H, W, C): 1 to 16."""
    return math.gcd(plane.shape[3], 16)
