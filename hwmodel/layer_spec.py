"""The layers of ``layers.json``: convolutions, linear layers and products of activations.

Notation of the NENNI cost protocol, used in every module: a layer has n output neurons at each of
M positions, each the dot product of d inputs.
"""

from math import ceil, prod
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_serializer, field_validator, model_validator

from hwmodel.defence_spec import Defence
from hwmodel.geometry import output_length, positions_read, transposed_lengths
from hwmodel.injection_spec import Bits, Fraction, Injection, Size
from hwmodel.validation import StrictModel, inconsistent

LARGEST_PADDING = 10**7
_TOLERANCE = 1e-6
"""Of shares that were measured."""
_AXES = {"conv2d": 2, "conv_transpose2d": 2, "conv3d": 3, "conv_transpose3d": 3}
"""Kinds of convolutions, and how many axes an image has there."""


def _both_sides(padding: Any) -> Any:
    """A whole number for an axis stands for both of its sides."""
    if not isinstance(padding, list | tuple):
        return padding
    return tuple(
        (axis, axis) if isinstance(axis, int) else tuple(axis) if isinstance(axis, list) else axis
        for axis in padding
    )


Name = Annotated[str, Field(min_length=1)]
Sizes = Annotated[tuple[Size, ...], Field(min_length=2, max_length=3)]
Side = Annotated[int, Field(ge=0, le=LARGEST_PADDING)]
Padding = Annotated[
    tuple[tuple[Side, Side], ...],
    Field(min_length=2, max_length=3),
    BeforeValidator(_both_sides),
]
_TRANSPOSED = frozenset({"conv_transpose2d", "conv_transpose3d"})


class Layer(StrictModel):
    """A convolution, a linear layer or a product of activations.

    Sizes are at most 10^7.

    Attributes
    ----------
    name
        Unique in the file; ``total`` is reserved for sums.
    kind
        ``conv2d``, ``conv3d``, ``conv_transpose2d``, ``conv_transpose3d``, ``linear``, or
        ``matmul``: a product of two activations, as in attention.
    in_channels, out_channels
        Channels, features of a linear layer, or inner and outer size of a product, over all groups.
    kernel_size, stride, dilation
        As in a convolution, a number for each axis; ones otherwise.
    padding
        As in a convolution: a number for each axis, or two where its sides differ; zeros otherwise.
    groups
        As in a convolution; 1 in a linear layer; equal products, such as heads.
    in_size, out_size
        A number for each axis, height and width; ``[1, positions]`` for both otherwise.
    exact_bits
        Bits of weights and activations on the exact path as it was evaluated.
    zero_inputs
        Measured share of the inputs that are zero; null (default) where none was measured.
    injection
        Null where the layer stays exact, as products of activations and transposed convolutions do.
    defence
        What another defence adds; null (default) where none does.
    """

    name: Name
    kind: Literal["conv2d", "conv3d", "conv_transpose2d", "conv_transpose3d", "linear", "matmul"]
    in_channels: Size
    out_channels: Size
    kernel_size: Sizes
    stride: Sizes
    padding: Padding
    dilation: Sizes
    groups: Size
    in_size: Sizes
    out_size: Sizes
    exact_bits: Bits
    zero_inputs: Fraction | None = None
    injection: Injection | None = None
    defence: Defence | None = None

    @property
    def is_transposed(self) -> bool:
        """Whether each input is multiplied by a kernel, and outputs are summed where those meet."""
        return self.kind in _TRANSPOSED

    @property
    def area(self) -> int:
        """Taps of the kernel."""
        return prod(self.kernel_size)

    @property
    def d(self) -> int:
        """Inputs of one neuron: channels of its group times the kernel's area.

        Channels alone where the convolution is transposed.
        """
        channels = self.in_channels // self.groups
        return channels if self.is_transposed else channels * self.area

    @property
    def n(self) -> int:
        """Neurons at one position, over all groups; one for each tap of a transposed kernel."""
        return self.out_channels * self.area if self.is_transposed else self.out_channels

    @property
    def M(self) -> int:
        """Output positions; input positions where the convolution is transposed."""
        return prod(self.in_size if self.is_transposed else self.out_size)

    @property
    def outputs(self) -> int:
        """Numbers that the layer yields: M n, or fewer where those of a transposed one overlap."""
        return self.out_channels * prod(self.out_size)

    @property
    def input_positions(self) -> int:
        """Input positions that are read at least once, without the padding.

        min(H_in W_in, M kh kw) where the taps of neighbours cover all or do not overlap.
        """
        if self.kind not in ("conv2d", "conv3d"):
            return prod(self.in_size)
        axes = zip(
            self.in_size, self.out_size, self.kernel_size, self.stride, self.padding,
            self.dilation, strict=True,
        )  # fmt: skip
        return prod(
            positions_read(length, outputs, kernel, stride, before, dilation)
            for length, outputs, kernel, stride, (before, _), dilation in axes
        )

    @property
    def shape(self) -> tuple[object, ...]:
        """All that a layer's own cost hangs on: not its name, nor its inputs' zeros."""
        injection = None if self.injection is None else self.injection.key
        defence = None if self.defence is None else self.defence.key
        return (
            self.kind, self.in_channels, self.out_channels, self.kernel_size, self.stride,
            self.padding, self.dilation, self.groups, self.in_size, self.out_size, self.exact_bits,
            injection, defence,
        )  # fmt: skip

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name == "total":
            raise ValueError("should not be 'total', which names the sum over layers")
        return name

    @field_serializer("padding")
    def _one_number_for_both_sides(self, padding: Padding) -> list[int | tuple[int, int]]:
        return [before if before == after else (before, after) for before, after in padding]

    @model_validator(mode="after")
    def _consistent(self) -> "Layer":
        axes = _AXES.get(self.kind, 2)
        for key in ("kernel_size", "stride", "padding", "dilation", "in_size", "out_size"):
            value = getattr(self, key)
            if len(value) != axes:
                expected = f"should have {axes} numbers for the kind {self.kind}"
                raise inconsistent((key,), value, expected)
        if self.kind not in _AXES:
            self._check_product()
        if self.in_channels % self.groups or self.out_channels % self.groups:
            expected = "should divide in_channels and out_channels"
            raise inconsistent(("groups",), self.groups, expected)
        self._check_out_size()
        if self.injection is not None:
            self._check_injection(self.injection)
        if self.defence is not None:
            self._check_defence(self.defence)
        return self

    def _check_product(self) -> None:
        for key in ("kernel_size", "stride", "dilation"):
            if (value := getattr(self, key)) != (1, 1):
                raise inconsistent((key,), value, f"should be [1, 1] for the kind {self.kind}")
        if self.padding != ((0, 0), (0, 0)):
            expected = f"should be [0, 0] for the kind {self.kind}"
            raise inconsistent(("padding",), self.padding, expected)
        if self.kind == "linear" and self.groups != 1:
            raise inconsistent(("groups",), self.groups, "should be 1 for a linear layer")
        if self.in_size[0] != 1:
            expected = f"should be [1, positions] for the kind {self.kind}"
            raise inconsistent(("in_size",), self.in_size, expected)

    def _check_out_size(self) -> None:
        axes = [
            (length, kernel, stride, before + after, dilation)
            for length, kernel, stride, (before, after), dilation in zip(
                self.in_size, self.kernel_size, self.stride, self.padding, self.dilation,
                strict=True,
            )
        ]  # fmt: skip
        if self.is_transposed:
            possible = [transposed_lengths(*axis) for axis in axes]
            if not all(map(range.__contains__, possible, self.out_size)):
                sizes = " x ".join(f"{lengths[0]} to {lengths[-1]}" for lengths in possible)
                expected = f"should be {sizes}, which follows from the other sizes"
                raise inconsistent(("out_size",), self.out_size, expected)
        elif self.out_size != (found := tuple(output_length(*axis) for axis in axes)):
            raise inconsistent(
                ("out_size",), self.out_size,
                f"should be {list(found)}, which follows from in_size, kernel_size, stride, "
                "padding and dilation",
            )  # fmt: skip

    def _check_injection(self, injection: Injection) -> None:
        if self.is_transposed or self.kind == "matmul":
            what = "transposed convolution" if self.is_transposed else "product of activations"
            raise inconsistent(("injection",), "an injection", f"should be null for a {what}")
        _check_projection(injection, self.in_channels // self.groups, self.area)
        _check_occupancy(injection, self.out_channels, self.groups)

    def _check_defence(self, defence: Defence) -> None:
        if self.injection is not None:
            raise inconsistent(("defence",), defence.name, "should be null beside an injection")
        weights = self.n * self.d
        if defence.nonzeros is not None and defence.nonzeros > weights:
            expected = f"should be at most the layer's weights, {weights}"
            raise inconsistent(("defence", "nonzeros"), defence.nonzeros, expected)


def _check_projection(injection: Injection, channels: int, area: int) -> None:
    """Refuse a P whose size or non-zeros contradict the layer's channels and kernel area."""
    d, k_c = channels * area, injection.k_c
    if k_c is not None and injection.k != k_c * area:
        expected = f"should be k_c times the kernel's area, {k_c * area}"
        raise inconsistent(("injection", "k"), injection.k, expected)
    if injection.k > d:
        expected = f"should be at most d, the {d} inputs of a neuron"
        raise inconsistent(("injection", "k"), injection.k, expected)
    entries = k_c * channels if k_c is not None else injection.k * d
    if injection.nonzeros > entries:
        expected = f"should be at most the entries of P, {entries}"
        raise inconsistent(("injection", "nonzeros"), injection.nonzeros, expected)


def _check_occupancy(injection: Injection, neurons: int, groups: int) -> None:
    """Refuse shares of tiles that so many essential neurons can neither fill nor reach."""
    essential = injection.measured_fraction * neurons
    for tile, share in injection.occupied.items():
        tiles = groups * ceil(neurons / groups / int(tile))
        least, most = essential / (tiles * int(tile)), min(1.0, essential / tiles)
        if not least - _TOLERANCE <= share <= most + _TOLERANCE:
            expected = f"should be {least:.4g} to {most:.4g}, by the measured_fraction"
            key = "occupancy" if tile in (injection.occupancy or {}) else "loads"
            raise inconsistent(("injection", key, tile), share, expected)
