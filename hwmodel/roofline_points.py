"""Where the products of each phase of a layer lie under the roofs of a platform."""

from collections.abc import Iterator
from dataclasses import dataclass

from hwmodel.layer_spec import Layer, Network
from hwmodel.preset import Preset
from hwmodel.rates import UnsupportedPrecisionError, Work
from hwmodel.roofline import Phase, dense_phase, injected_phases

PHASES = ("projection", "approximation", "selection", "exact")
"""In the order in which an injected layer runs them."""


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
        for name, phase in named_phases(layer, preset, batch)
        if phase.work is not None and phase.work.macs
    ]


def named_phases(layer: Layer, preset: Preset, batch: int) -> Iterator[tuple[str, Phase]]:
    """The dense layer at its own bits, then the phases of its injection that have work to do."""
    try:
        yield "dense", dense_phase(layer, preset, layer.exact_bits, batch)
    except UnsupportedPrecisionError:
        return
    if layer.injection is not None:
        phases = injected_phases(layer, preset, batch) or ()
        yield from ((n, p) for n, p in zip(PHASES, phases, strict=False) if p.bound)


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
