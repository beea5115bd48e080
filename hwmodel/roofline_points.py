"""Where the products of each phase of a layer lie under the roofs of a platform."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwmodel.alike import alike
from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.rates import Work, product_seconds
from hwmodel.roofline import named_phases


@dataclass(frozen=True, slots=True)
class Point:
    """The products of one phase of a layer: their intensity, and the rate at which they run.

    Attributes
    ----------
    layer, phase
        Names; the phase is ``dense`` or one of `roofline.PHASES`.
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
        Of the products alone, on a systolic array those of `hwmodel.systolic`: without roundings
        and additions beside them, and without waiting for memory.
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

    def of_layer(layer: Layer) -> Sequence[Point]:
        return [
            _point(layer, name, phase, phase.work, preset)
            for name, phase in named_phases(layer, preset, batch)
            if phase.work is not None and phase.work.macs
        ]

    return alike(network.layers, of_layer, lambda row, name: replace(row, layer=name))


def _point(layer: Layer, name: str, phase: Phase, work: Work, preset: Preset) -> Point:
    peak = preset.macs_per_s(work.run_bits)
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
        cycles=product_seconds(preset, work) * preset.clock_hz.value,
    )
