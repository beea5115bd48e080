"""What each phase of a layer moves at every level, and where its products lie under the roofs."""

from collections.abc import Iterator
from dataclasses import dataclass

from hwmodel.layer_spec import Layer, Network
from hwmodel.preset import Preset
from hwmodel.rates import UnsupportedPrecisionError, Work, array_bytes
from hwmodel.roofline import Phase, dense_phase, injected_phases

PHASES = ("projection", "approximation", "selection", "exact")
"""In the order in which an injected layer runs them."""


@dataclass(frozen=True, slots=True)
class Movement:
    """Bytes of one phase of a layer, for one batch.

    Attributes
    ----------
    layer, phase
        Names; the phase is ``dense`` or one of `PHASES`.
    memory_weights, memory_inputs, memory_outputs
        Between memory and the chip, where each phase reads and writes everything once.
    array_weights, array_inputs, array_outputs
        Between a systolic array and its buffers; None on other platforms, and where no product
        runs.
    """

    layer: str
    phase: str
    memory_weights: float
    memory_inputs: float
    memory_outputs: float
    array_weights: float | None
    array_inputs: float | None
    array_outputs: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """The products of one phase of a layer: their intensity, and the rate at which they run.

    Attributes
    ----------
    layer, phase
        Names; the phase is ``dense`` or one of `PHASES`.
    run_bits
        Width at which the platform multiplies.
    macs_per_byte
        Multiply-accumulates that run over bytes that move, for one batch.
    macs_per_s
        Multiply-accumulates that run over the time of the phase, its overhead included.
    peak_macs_per_s, bandwidth_bytes_per_s
        The two roofs: what dense products reach at this width, and the platform's bandwidth.
    utilisation
        Share of the multipliers that the phase keeps busy.
    cycles
        Of the arithmetic of the phase, without waiting for memory.
    """

    layer: str
    phase: str
    run_bits: int
    macs_per_byte: float
    macs_per_s: float
    peak_macs_per_s: float
    bandwidth_bytes_per_s: float
    utilisation: float
    cycles: float


def movements(network: Network, preset: Preset, batch: int = 1) -> list[Movement]:
    """Bytes of every layer dense at its own bits, and of each phase of its injection.

    Parameters
    ----------
    network
        As read by `hwmodel.load`. Precisions that the platform lacks are left out.
    preset
        The platform.
    batch
        Inputs at once.
    """
    return [
        _movement(layer, name, phase, preset)
        for layer in network.layers
        for name, phase in _phases(layer, preset, batch)
    ]


def points(network: Network, preset: Preset, batch: int = 1) -> list[Point]:
    """Every layer dense at its own bits, and the products of its injection.

    Parameters
    ----------
    network
        As read by `hwmodel.load`. Precisions that the platform lacks are left out.
    preset
        The platform.
    batch
        Inputs at once.
    """
    return [
        _point(layer, name, phase, phase.work, preset)
        for layer in network.layers
        for name, phase in _phases(layer, preset, batch)
        if phase.work is not None and phase.work.macs
    ]


def _phases(layer: Layer, preset: Preset, batch: int) -> Iterator[tuple[str, Phase]]:
    """The phases that have something to do."""
    try:
        yield "dense", dense_phase(layer, preset, layer.exact_bits, batch)
    except UnsupportedPrecisionError:
        return
    if layer.injection is not None:
        phases = injected_phases(layer, preset, batch) or ()
        yield from ((n, p) for n, p in zip(PHASES, phases, strict=False) if p.bound)


def _movement(layer: Layer, name: str, phase: Phase, preset: Preset) -> Movement:
    memory = phase.moved
    array = None if phase.work is None else array_bytes(preset, phase.work)
    return Movement(
        layer=layer.name,
        phase=name,
        memory_weights=memory.weights,
        memory_inputs=memory.inputs,
        memory_outputs=memory.outputs,
        array_weights=None if array is None else array.weights,
        array_inputs=None if array is None else array.inputs,
        array_outputs=None if array is None else array.outputs,
    )


def _point(layer: Layer, name: str, phase: Phase, work: Work, preset: Preset) -> Point:
    peak = preset.peak_macs_per_s[work.run_bits]
    rate = work.macs / phase.seconds
    return Point(
        layer=layer.name,
        phase=name,
        run_bits=work.run_bits,
        macs_per_byte=work.macs / phase.moved.total,
        macs_per_s=rate,
        peak_macs_per_s=peak * preset.utilisation_dense.value,
        bandwidth_bytes_per_s=preset.bandwidth_bytes_per_s.value,
        utilisation=rate / peak,
        cycles=phase.compute_s * preset.clock_hz.value,
    )
