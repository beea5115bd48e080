"""The input: ``layers.json``, version 3, one entry per convolution or matrix product.

Notation of the NENNI cost protocol, used in every module: a layer has n output neurons at each of
M positions, each the dot product of d inputs.
"""

import json
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, ValidationError, ValidationInfo, field_validator

from hwmodel import version_2
from hwmodel.errors import UserError
from hwmodel.injection_spec import Bits, Injection, NonNegativeInt
from hwmodel.validation import StrictModel, describe, inconsistent

VERSION = 3
"""Of the format of ``layers.json``; see `hwmodel.version_2` for files of before."""
_TOLERANCE = 1e-6
"""Of shares that were measured."""
Name = Annotated[str, Field(min_length=1)]
Pair = tuple[PositiveInt, PositiveInt]


class LayerSpecError(UserError):
    """A ``layers.json`` that cannot be used; the message names the file and the field."""


class Layer(StrictModel):
    """A convolution, a linear layer or a product of activations.

    Attributes
    ----------
    name
        Unique in the file; ``total`` is reserved for sums.
    kind
        ``conv2d``, ``linear``, or ``matmul``: a product of two activations, as in attention.
    in_channels, out_channels
        Channels, features of a linear layer, or inner and outer size of a product, over all groups.
    kernel_size, stride, dilation
        As in a convolution; ones otherwise.
    padding
        As in a convolution; zeros otherwise.
    groups
        As in a convolution; 1 in a linear layer; equal products, such as heads.
    in_size, out_size
        Height and width; ``[1, positions]`` for both otherwise.
    exact_bits
        Bits of weights and activations on the exact path as it was evaluated.
    injection
        Null where the layer stays exact, as a product of activations does.
    """

    name: Name
    kind: Literal["conv2d", "linear", "matmul"]
    in_channels: PositiveInt
    out_channels: PositiveInt
    kernel_size: Pair
    stride: Pair
    padding: tuple[NonNegativeInt, NonNegativeInt]
    dilation: Pair
    groups: PositiveInt
    in_size: Pair
    out_size: Pair
    exact_bits: Bits
    injection: Injection | None = Field(default=None, validate_default=True)

    @property
    def d(self) -> int:
        """Inputs of one neuron: channels of its group times the kernel's area."""
        return self.in_channels // self.groups * self.kernel_size[0] * self.kernel_size[1]

    @property
    def n(self) -> int:
        """Neurons at one position, over all groups."""
        return self.out_channels

    @property
    def M(self) -> int:
        """Output positions."""
        return self.out_size[0] * self.out_size[1]

    @property
    def input_positions(self) -> int:
        """Input positions that are read at least once, without the padding.

        min(H_in W_in, M kh kw) where the taps of neighbours cover all or do not overlap.
        """
        axes = zip(
            self.in_size, self.out_size, self.kernel_size, self.stride, self.padding,
            self.dilation, strict=True,
        )  # fmt: skip
        rows, columns = (_positions_read(*axis) for axis in axes)
        return rows * columns

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name == "total":
            raise ValueError("should not be 'total', which names the sum over layers")
        return name

    @field_validator("kernel_size", "stride", "padding", "dilation")
    @classmethod
    def _trivial_unless_conv(cls, pair: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        expected = (0, 0) if info.field_name == "padding" else (1, 1)
        kind = info.data.get("kind", "conv2d")
        if kind != "conv2d" and pair != expected:
            raise ValueError(f"should be {list(expected)} for the kind {kind}")
        return pair

    @field_validator("groups")
    @classmethod
    def _divides_channels(cls, groups: int, info: ValidationInfo) -> int:
        channels = [info.data.get(key, 0) for key in ("in_channels", "out_channels")]
        if any(count % groups for count in channels):
            raise ValueError("should divide in_channels and out_channels")
        if info.data.get("kind") == "linear" and groups != 1:
            raise ValueError("should be 1 for a linear layer")
        return groups

    @field_validator("in_size")
    @classmethod
    def _flat_unless_conv(cls, size: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        kind = info.data.get("kind", "conv2d")
        if kind != "conv2d" and size[0] != 1:
            raise ValueError(f"should be [1, positions] for the kind {kind}")
        return size

    @field_validator("out_size")
    @classmethod
    def _follows_from_input(cls, size: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        keys = ("in_size", "kernel_size", "stride", "padding", "dilation")
        if all(key in info.data for key in keys):
            axes = zip(*(info.data[key] for key in keys), strict=True)
            expected = tuple(_output_length(*axis) for axis in axes)
            if size != expected:
                raise ValueError(
                    f"should be {list(expected)}, which follows from in_size, kernel_size, stride,"
                    " padding and dilation"
                )
        return size

    @field_validator("injection")
    @classmethod
    def _fits_the_layer(cls, injection: Injection | None, info: ValidationInfo) -> Injection | None:
        if injection is not None and info.data.get("kind") == "matmul":
            raise ValueError("should be null for a product of activations")
        keys = ("in_channels", "out_channels", "kernel_size", "groups")
        if injection is not None and all(key in info.data for key in keys):
            channels, neurons, kernel, groups = (info.data[key] for key in keys)
            _check_projection(injection, channels // groups, kernel[0] * kernel[1])
            _check_occupancy(injection, neurons)
        return injection


def _output_length(length: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


@cache
def _positions_read(
    length: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int
) -> int:
    """Positions along one axis that some tap of some output reads."""
    starts = range(-padding, outputs * stride - padding, stride)
    read = {start + tap * dilation for start in starts for tap in range(kernel)}
    return sum(0 <= position < length for position in read)


def _check_projection(injection: Injection, channels: int, area: int) -> None:
    """Refuse a P whose size or non-zeros contradict the layer's channels and kernel area."""
    d = channels * area
    if injection.k_c is not None and injection.k != injection.k_c * area:
        expected = f"should be k_c times the kernel's area, {injection.k_c * area}"
        raise inconsistent(("k",), injection.k, expected)
    entries = injection.k_c * channels if injection.k_c is not None else injection.k * d
    if injection.nonzeros > entries:
        expected = f"should be at most the entries of P, {entries}"
        raise inconsistent(("nonzeros",), injection.nonzeros, expected)


def _check_occupancy(injection: Injection, neurons: int) -> None:
    """Refuse shares of tiles that so many essential neurons can neither fill nor reach."""
    essential = injection.measured_fraction * neurons
    for tile, share in injection.occupancy.items():
        tiles = -(-neurons // int(tile))
        least, most = essential / (tiles * int(tile)), min(1.0, essential / tiles)
        if not least - _TOLERANCE <= share <= most + _TOLERANCE:
            expected = f"should be {least:.4g} to {most:.4g}, by the measured_fraction"
            raise inconsistent(("occupancy", tile), share, expected)


class Network(StrictModel):
    """A whole ``layers.json``.

    Attributes
    ----------
    version
        Of the format: 3.
    model
        Free text.
    input_shape
        Channels, height and width of one input.
    layers
        In order of execution.
    assumed
        Whether the injections are `hwmodel.injected`'s, of which nothing was ever evaluated.
    """

    version: int
    model: str
    input_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    assumed: bool = False

    @field_validator("version")
    @classmethod
    def _known(cls, version: int) -> int:
        if version != VERSION:
            raise ValueError(f"should be {VERSION} (describe the network again)")
        return version

    @field_validator("layers")
    @classmethod
    def _unique_names(cls, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        seen: set[str] = set()
        for index, layer in enumerate(layers):
            if layer.name in seen:
                raise inconsistent((index, "name"), layer.name, "should be unique")
            seen.add(layer.name)
        return layers

    @classmethod
    def parse(cls, text: bytes, file: str) -> Self:
        """Parse the content of a file.

        Parameters
        ----------
        text
            JSON in UTF-8.
        file
            Its name, for messages.

        Raises
        ------
        LayerSpecError
            With the file and the first faulty field.
        """
        if not text.strip():
            raise LayerSpecError(f"{file}: is empty")
        try:
            return cls.model_validate_json(_as_version_3(text))
        except ValidationError as error:
            raise LayerSpecError(f"{file}: {describe(error)}") from None
        except UserError as error:
            raise LayerSpecError(f"{file}: {error}") from None


def _as_version_3(text: bytes) -> bytes:
    """The content of a file in version 3 if it is of version 2, else as it is."""
    try:
        data = json.loads(text)
    except ValueError:
        return text
    if not isinstance(data, dict) or data.get("version") != version_2.VERSION:
        return text
    data["version"] = VERSION
    layers = data.get("layers")
    injections = [
        layer.pop("injection", None) if isinstance(layer, dict) else None
        for layer in (layers if isinstance(layers, list) else ())
    ]
    sizes = Network.model_validate_json(json.dumps(data)).layers
    for index, (layer, injection) in enumerate(zip(sizes, injections, strict=True)):
        if isinstance(injection, dict):
            channels = layer.in_channels // layer.groups
            try:
                injection = version_2.translated(injection, channels, layer.d, layer.n)
            except UserError as error:
                raise UserError(f"layers[{index}].injection.{error}") from None
        data["layers"][index]["injection"] = injection
    return json.dumps(data).encode()


def load(path: str | Path) -> Network:
    """Read ``layers.json``, of version 3 or 2.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Network
        Checked in itself: sizes follow from each other, P fits its layer.

    Raises
    ------
    LayerSpecError
        If it is missing, empty, not JSON, or breaks the schema.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise LayerSpecError(f"{path}: cannot be read: {error.strerror}") from None
    return Network.parse(text, str(path))
