"""Hardware presets: the constants of the roofline, each tagged with where it comes from.

A preset is a file ``presets/NAME.toml``; adding one needs no code.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwmodel.errors import UserError
from hwmodel.preset_files import PRESET_FOLDER, preset_names
from hwmodel.sourced import Constant, Count, Flag, Share, Sourced, Text, read_table
from hwmodel.systolic import Dataflow
from hwmodel.validation import StrictModel, inconsistent

__all__ = [
    "Constant",
    "Flag",
    "Preset",
    "PresetError",
    "load_preset",
    "preset_names",
    "read_preset",
]


BASELINE_BITS = (32, 16, 8, 4)
"""Of dense networks on a platform, FP32, FP16, INT8 and INT4."""
_WIDTHS = BASELINE_BITS[::-1]


class PresetError(UserError):
    """A preset that cannot be used; the message names the file and the key."""


class Choice(Sourced):
    """Which way the operands of a systolic array flow."""

    value: Dataflow


Order = Literal["serial", "fused", "overlapped"]


class Schedule(Sourced):
    """In which order the phases of a layer run: see `hwmodel.schedule`.

    Attributes
    ----------
    value
        Which.
    others
        Which else it may be.
    """

    value: Order
    others: Annotated[tuple[Order, ...], Field(strict=False)] = ()


class Array(StrictModel):
    """A systolic array, which does all products.

    Attributes
    ----------
    rows, columns
        Multipliers along each side.
    dataflow
        What stays in place: see `hwmodel.systolic`.
    """

    rows: Count
    columns: Count
    dataflow: Choice


class Unrolling(StrictModel):
    """Multipliers that compute a box of a product at once, from buffers and without skew.

    Attributes
    ----------
    neurons, channels, positions
        Its sides. The taps of a kernel follow one another.
    """

    neurons: Count
    channels: Count
    positions: Count


class Elements(StrictModel):
    """Processing elements that skip single neurons: see `hwmodel.imbalance`.

    Attributes
    ----------
    neurons
        Neighbouring neurons of a position that one computes, one after the other.
    in_step
        How many wait for the last of them.
    """

    neurons: Count
    in_step: Count


class Preset(StrictModel):
    """What the roofline needs to know of a platform.

    Attributes
    ----------
    description
        What it stands for.
    clock_hz
        Clock of the arithmetic units.
    mac_per_cycle
        Multiply-accumulates per cycle, by bits of the operands; a width that the platform lacks is
        left out.
    outputs_per_cycle
        Outputs of products that are finished per cycle, which takes starting a sum, rounding and
        storing it, by bits of the operands; empty (default) where the products hide it, as on a
        systolic array.
    elementwise_per_cycle
        Additions, comparisons or roundings per cycle, outside the multiplier array.
    array
        The systolic array; null (default) for other platforms. Then products take its cycles,
        at widths with fewer multiplications per cycle than multipliers so many times longer.
    unrolled
        The box of a product that is computed in a cycle; null (default) for other platforms. Then
        products take as many cycles as boxes, the last ones in part empty.
    utilisation_dense
        Share of the peak that roundings reach, and dense products without an array or a box.
    utilisation_irregular
        Share of the peak that scattered additions and comparisons reach.
    bandwidth_bytes_per_s
        Of the memory that weights and activations come from.
    buffer_bytes
        Of the buffer on the chip, next to the multipliers, that the operands and sums of a phase
        share (`hwmodel.refetch`); null (default): not modelled, and taken as large enough.
    schedule
        How the phases of a layer follow each other; null (default) for serial.
    overhead_s
        Of starting one phase.
    tile_outputs
        Neighbouring outputs that are computed together or not at all. Outside systolic arrays the
        last tile of a position is computed in full.
    elements
        Of a platform that skips single neurons in place of tiles; null (default) for none.
    mixes_groups
        Whether a tile may hold outputs of several groups of a convolution, or heads, whose inputs
        differ, as lanes of a vector unit; null (default) for no.
    skips_zeros
        Whether a sparse P, or a sparse matrix of weights, can cost its non-zeros only; otherwise it
        runs as a dense matrix.
    skips_two_of_four
        Whether the multipliers run twice as fast where two of every four weights are zero; null
        (default) for no.
    skips_zero_inputs
        Whether they skip inputs that are zero; null (default) for no.
    """

    description: Text
    clock_hz: Constant
    mac_per_cycle: Annotated[dict[Literal["4", "8", "16", "32"], Constant], Field(min_length=1)]
    outputs_per_cycle: dict[Literal["4", "8", "16", "32"], Constant] = Field(default_factory=dict)
    array: Array | None = None
    unrolled: Unrolling | None = None
    elementwise_per_cycle: Constant
    utilisation_dense: Share
    utilisation_irregular: Share
    bandwidth_bytes_per_s: Constant
    buffer_bytes: Constant | None = None
    schedule: Schedule | None = None
    overhead_s: Constant
    tile_outputs: Count
    elements: Elements | None = None
    mixes_groups: Flag | None = None
    skips_zeros: Flag
    skips_two_of_four: Flag | None = None
    skips_zero_inputs: Flag | None = None

    @model_validator(mode="after")
    def _tiles_or_elements(self) -> Self:
        if self.array is not None and self.elements is not None:
            got = "both"
            raise inconsistent(("elements",), got, "should be left out where there is an array")
        if self.unrolled is not None and (self.array is not None or self.elements is not None):
            got = "both"
            raise inconsistent(("unrolled",), got, "should be the only one of array and elements")
        return self

    def run_bits(self, bits: int) -> int | None:
        """Narrowest supported width that holds `bits`, or None if there is none.

        Four-bit operands thus run, and are stored, as eight-bit ones where hardware has no four-bit
        multipliers: they gain nothing there.
        """
        wide_enough = (w for w in _WIDTHS if w >= bits and str(w) in self.mac_per_cycle)
        return next(wide_enough, None)

    def macs_per_s(self, run_bits: int) -> float:
        """Peak multiply-accumulates per second at a supported width."""
        return self.mac_per_cycle[str(run_bits)].value * self.clock_hz.value  # type: ignore[index]

    def finishing_s(self, run_bits: int) -> float:
        """Seconds to finish an output at a supported width; 0 where the products hide it."""
        rate = self.outputs_per_cycle.get(str(run_bits))  # type: ignore[call-overload]
        return 0.0 if rate is None else 1 / (rate.value * self.clock_hz.value)

    @property
    def order(self) -> Order:
        """How the phases of a layer follow each other."""
        return "serial" if self.schedule is None else self.schedule.value

    @property
    def compared_bits(self) -> tuple[int, ...]:
        """Widths of the dense baselines: 32, 16, 8, and 4 where there is a rate for it."""
        return BASELINE_BITS if "4" in self.mac_per_cycle else BASELINE_BITS[:-1]

    @property
    def peak_macs_per_s(self) -> dict[int, float]:
        """Peak multiply-accumulates per second, by supported width in bits."""
        return {int(k): c.value * self.clock_hz.value for k, c in self.mac_per_cycle.items()}

    @property
    def peak_elementwise_per_s(self) -> float:
        """Peak additions, comparisons or roundings per second."""
        return self.elementwise_per_cycle.value * self.clock_hz.value


def read_preset(path: Path) -> Preset:
    """Read one preset file.

    Parameters
    ----------
    path
        A TOML file.

    Raises
    ------
    PresetError
        With the file and the first missing or faulty key.
    """
    return read_table(path, Preset, PresetError)


def load_preset(name: str) -> Preset:
    """Read a preset that comes with the package, or one's own file.

    Parameters
    ----------
    name
        One of `preset_names`, or a path that ends in ``.toml``.

    Raises
    ------
    PresetError
        If there is none of that name, with the names there are; with the file and the first faulty
        key, if it cannot be used.
    """
    if name.endswith(".toml"):
        return read_preset(Path(name))
    if name not in preset_names():
        raise PresetError(f"unknown preset {name!r}; known: {', '.join(preset_names())}")
    return read_preset(PRESET_FOLDER / f"{name}.toml")
