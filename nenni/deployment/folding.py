"""Layers of a simulation as convolutions of bytes: all that is affine in a sum is one factor."""

import sys

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.defences.baselines.quantised import QuantisedLayer
from nenni.deployment.convolution import Dense, Product, Skipping, Written
from nenni.deployment.packing import filled, packed, start, steps
from nenni.deployment.plane import Plane
from nenni.deployment.rounded import BITS
from nenni.method.noise.approximation import Approximation
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.quantise import levels, quantise_weight, weight_scale
from nenni.method.selection.block import Block
from nenni.networks.computed import compute_anew
from nenni.networks.tracing import BatchNorm


def dense(
    layer: QuantisedLayer, plane: Plane, norm: nn.BatchNorm2d | None, written: Written
) -> Dense:
    """A layer that computes all neurons.

    Parameters
    ----------
    layer : QuantisedLayer
        A convolution of 8 bits.
    plane : Plane
        Of its input.
    norm : BatchNorm2d or None
        That of its output.
    written : Written
        What becomes of it.
    """
    return _exact(layer.wrapped, plane, norm, written)


def skipping(
    layer: NoisyLayer, name: str, plane: Plane, norm: nn.BatchNorm2d | None, written: Written
) -> Skipping:
    """An injected layer.

    Parameters
    ----------
    layer : NoisyLayer
        A convolution.
    name : str
        For messages.
    plane, norm, written
        As in :func:`dense`.

    Raises
    ------
    UserError
        If it makes choices that no kernel has.
    """
    check(layer, name)
    choices, selection, convolution = layer.choices, layer.choices.selection, layer.wrapped
    assert isinstance(selection, Block)
    assert isinstance(convolution, nn.Conv2d)
    exact = _exact(convolution, plane, norm, written)
    source, table = _fewer_bits(layer, plane)
    projected = Plane(
        plane.height,
        plane.width,
        layer.P.shape[1],
        plane.padding,
        float(layer.projected_scale[0]),
        signed=True,
        limit=levels(choices.projected_bits),
    )
    codes, unit = _integers(layer.P[0], name)
    pixels = _product(codes, plane, None, projected)
    into = Written(projected, False, projected.lowest, projected.limit, None)
    factor = codes.new_full((len(codes),), source.scale * unit, dtype=torch.float64)
    projection = Dense(pixels, factor, torch.zeros_like(factor), into)

    bits, weight = choices.weight_bits, layer.W_tilde[0].detach()
    step = weight_scale(weight, bits).flatten().double()
    codes = _codes(quantise_weight(weight, bits), step)
    combined = _product(codes, projected, convolution, written.plane)
    raw = step * projected.scale, layer.b_tilde[0].detach().double()
    approximate = Dense(combined, *_through(norm, *raw), written)
    score = _score(layer, *raw)
    height, width = written.plane.height, written.plane.width
    tile = _tile(selection, combined.channels, height * width)
    magnitude, share = choices.score == "magnitude", selection.nominal()
    return Skipping(exact, projection, approximate, *score, magnitude, tile, share, table)


def check(layer: NoisyLayer, name: str) -> None:
    """Refuse an injected layer that makes choices which no kernel has.

    Raises
    ------
    UserError
        Naming the choice, and one that can be deployed.
    """
    choices = layer.choices
    wrong = ""
    if not isinstance(choices.selection, Block):
        wrong = f"its selection {choices.selection} leaves no tile to skip; choose nenni.Block"
    elif not choices.projection.shared_taps:
        wrong = f"its projection {choices.projection} costs more than it saves; nenni.TapShared"
    elif choices.exact_bits != BITS:
        wrong = f"its exact path has {choices.exact_bits} bits; choose exact_bits={BITS}"
    elif max(choices.weight_bits, choices.input_bits, choices.projected_bits) > BITS:
        wrong = f"its approximation has more than {BITS} bits; choose 4 or {BITS}"
    elif not isinstance(choices.noise, Approximation):
        wrong = f"its noise is {choices.noise}; choose nenni.Approximation()"
    elif layer.wrapped.weight.any() and not layer.W_tilde.any():
        wrong = "its approximation is all zeros; nenni.fit the network first"
    if wrong:
        raise UserError(f"layer {name} cannot be deployed: {wrong}")


def _exact(
    convolution: nn.Conv2d | nn.Linear, plane: Plane, norm: nn.BatchNorm2d | None, written: Written
) -> Dense:
    assert isinstance(convolution, nn.Conv2d)
    compute_anew(convolution)
    weight = convolution.weight.detach()
    step = weight_scale(weight, BITS).flatten().double()
    codes = _codes(quantise_weight(weight, BITS), step)
    product = _product(codes, plane, convolution, written.plane)
    bias = convolution.bias
    offset = step.new_zeros(len(step)) if bias is None else bias.detach().double()
    return Dense(product, *_through(norm, step * plane.scale, offset), written)


def _product(codes: Tensor, plane: Plane, convolution: nn.Conv2d | None, into: Plane) -> Product:
    """Products with the patches that a convolution sees, or with each pixel."""
    if convolution is None:
        position, tap = plane.positions, torch.zeros(1, dtype=torch.int32)
        inside = torch.ones(len(position), dtype=torch.int64)
    else:
        (position, tap), inside = plane.patches(convolution), plane.inside(convolution)
    taken = (position, steps(tap, codes.shape[1]), inside, tap)
    position, step, inside, tap = (x.to(codes.device) for x in taken)
    return Product(
        codes=codes,
        packed=packed(codes),
        start=start(codes, plane.zero),
        position=position,
        step=step,
        inside=inside,
        narrow=into.narrow and bool((inside != inside.max()).any()),
        tap=tap,
        signed=plane.signed,
    )


def _codes(rounded: Tensor, step: Tensor) -> Tensor:
    """Integers of rounded weights (n, ...)."""
    return (rounded.double() / step.view(-1, *(1,) * (rounded.dim() - 1))).round().to(torch.int8)


def _through(norm: BatchNorm | None, factor: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Factor and offset of what a batch norm makes of factor acc + offset, by its statistics."""
    if norm is None:
        return factor, offset
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        gain = gain * norm.weight.detach().double()
    shift = -norm.running_mean.double() * gain
    if norm.bias is not None:
        shift = shift + norm.bias.detach().double()
    return factor * gain, offset * gain + shift


def _score(layer: NoisyLayer, factor: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Factor and offset of what is ranked of z~, see :meth:`NoisyLayer.score`."""
    if layer.choices.normalise and layer.batch_norm:
        (norm,) = layer.batch_norm
        factor, offset = _through(norm, factor, offset)
    elif layer.choices.normalise:
        gain = (layer.score_variance.double() + sys.float_info.min).rsqrt()
        factor, offset = factor * gain, (offset - layer.score_mean.double()) * gain
    return filled(factor.float()), filled(offset.float())


def _tile(selection: Block, channels: int, positions: int) -> tuple[int, int]:
    return min(selection.channels, channels), min(selection.positions, positions)


def _integers(P: Tensor, name: str) -> tuple[Tensor, float]:
    """P as int8 times one number.

    Raises
    ------
    UserError
        If it is not of that kind.
    """
    unit = float(P[P != 0].abs().min()) if bool(P.any()) else 1.0
    codes = (P / unit).round()
    if codes.abs().max() > levels(BITS) or not torch.allclose(codes * unit, P):
        raise UserError(
            f"layer {name} cannot be deployed: its P holds no multiples of one number; choose "
            "nenni.TapShared"
        )
    return codes.to(torch.int8), unit


def _fewer_bits(layer: NoisyLayer, plane: Plane) -> tuple[Plane, Tensor | None]:
    """The plane of Q_a(x), and the table of its codes; x itself where it has as many bits."""
    bits = layer.choices.input_bits
    if bits == BITS:
        return plane, None
    scale, limit = float(layer.input_scale), levels(bits)
    byte = torch.arange(256)
    value = (byte - plane.zero).float() * plane.scale
    code = (value / scale).round().clamp(-limit, limit) + plane.zero
    fewer = Plane(
        plane.height, plane.width, plane.channels, plane.padding, scale, plane.signed, limit
    )
    return fewer, code.clamp(0, 255).to(torch.uint8).to(layer.P.device)
