"""The products of each phase as loops with densities, for mappers to read.

What `hwmodel.export_zigzag` and `hwmodel.export_timeloop` write. Densities are those that were
measured: the share of the tiles of a mask that run, the non-zeros that P really has, the inputs
that are not zero.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network
from hwmodel.preset import Preset
from hwmodel.product import Product, projection_product
from hwmodel.roofline import named_phases

_Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Workload:
    """One convolution of two axes; a matrix product is one of a single tap.

    Attributes
    ----------
    layer, phase
        Names; the phase is ``dense`` or one of `hwmodel.roofline.PHASES`.
    batch, groups, neurons, channels
        Sizes; neurons and channels of each group.
    out_size, kernel, stride, dilation, in_size
        Height and width.
    padding
        Above, below; left, right.
    bits
        Of the operands.
    inputs, weights, outputs
        Share of each that is not zero, and that is computed. Of the inputs and outputs of products
        whose positions are gathered, `outputs` are left.
    """

    layer: str
    phase: str
    batch: int
    groups: int
    neurons: int
    channels: int
    out_size: _Pair
    kernel: _Pair
    stride: _Pair
    dilation: _Pair
    in_size: _Pair
    padding: tuple[_Pair, _Pair]
    bits: int
    inputs: float = 1.0
    weights: float = 1.0
    outputs: float = 1.0

    @property
    def name(self) -> str:
        """Layer and phase, of characters that a file's name may have."""
        return re.sub(r"[^\w.-]", "_", f"{self.layer}.{self.phase}", flags=re.ASCII)

    @property
    def macs(self) -> float:
        """Multiply-accumulates of the outputs that are computed."""
        height, width = self.out_size
        taps = self.kernel[0] * self.kernel[1]
        whole = self.batch * self.groups * self.neurons * self.channels * height * width * taps
        return self.outputs * whole


def workloads(network: Network, preset: Preset, batch: int = 1) -> list[Workload]:
    """Of every layer dense at its own bits, and of each product of its injection.

    Parameters
    ----------
    network
        As read by `hwmodel.load`. Phases without products are left out, and precisions that the
        platform lacks.
    preset
        The platform, whose widths and tiles they have.
    batch
        Inputs at once.
    """
    return [found for layer in network.layers for found in _of_layer(layer, preset, batch)]


def _of_layer(layer: Layer, preset: Preset, batch: int) -> Iterator[Workload]:
    not_zero = 1.0 if layer.zero_inputs is None else 1 - layer.zero_inputs
    for name, phase in named_phases(layer, preset, batch):
        injection = layer.injection
        if name == "projection" and injection is not None:
            product = projection_product(layer, injection)
            bits = preset.run_bits(layer.exact_bits) if phase.work is None else phase.work.run_bits
            density = 1.0
            if not injection.projection.real:
                density = injection.nonzeros / (product.n * product.d)
            shared = injection.k_c is not None
            yield _workload(
                layer, name, product, batch, bits or layer.exact_bits, taps=not shared,
                weights=density, inputs=not_zero,
            )  # fmt: skip
            continue
        if phase.work is None or not phase.work.gathered.macs:
            continue
        work, heads = phase.work, layer.kind == "matmul"
        product = work.product
        if not heads and work.times == 1:
            product = Product(product.M // batch, product.n, product.d, product.count)
        if heads:
            product = Product(product.M, product.n, product.d, product.count // batch)
        is_whole = name in ("dense", "exact")
        yield _workload(
            layer, name, product, batch, work.run_bits, taps=is_whole,
            inputs=not_zero if is_whole else 1.0, outputs=work.share,
        )  # fmt: skip


def _workload(
    layer: Layer,
    phase: str,
    product: Product,
    batch: int,
    bits: int,
    *,
    taps: bool,
    inputs: float = 1.0,
    weights: float = 1.0,
    outputs: float = 1.0,
) -> Workload:
    """As a convolution of its kernel if it has `taps` of one, else as a matrix product."""
    whole = layer.kind == "conv2d" and taps
    is_image = len(layer.out_size) == 2 and prod(layer.out_size) == product.M
    size = _pair(layer.out_size) if is_image else (1, product.M)
    if not whole:
        return Workload(
            layer.name, phase, batch, product.count, product.n, product.d, size, (1, 1), (1, 1),
            (1, 1), size, ((0, 0), (0, 0)), bits, inputs, weights, outputs,
        )  # fmt: skip
    return Workload(
        layer.name, phase, batch, product.count, product.n, product.d // layer.area, size,
        _pair(layer.kernel_size), _pair(layer.stride), _pair(layer.dilation), _pair(layer.in_size),
        (layer.padding[0], layer.padding[1]), bits, inputs, weights, outputs,
    )  # fmt: skip


def _pair(sizes: tuple[int, ...]) -> _Pair:
    height, width = sizes
    return height, width
