"""Where the phases of each layer lie under the roofs of a platform."""

from collections.abc import Iterator
from dataclasses import dataclass

from hwmodel import op_count, traffic
from hwmodel.granularity import effective_fraction
from hwmodel.layer_spec import Layer, Network
from hwmodel.preset import Preset
from hwmodel.roofline import Phase, approximation_phase, dense_phase, exact_phase


@dataclass(frozen=True, slots=True)
class Point:
    """One product of a layer: its intensity, and the rate at which it runs.

    Attributes
    ----------
    layer, phase
        Names; the phase is ``dense``, ``approximation`` or ``exact``.
    run_bits
        Width at which the platform multiplies.
    macs_per_byte
        Multiply-accumulates that run over bytes that move, for one batch.
    macs_per_s
        Multiply-accumulates that run over the time of the phase, its overhead included.
    peak_macs_per_s, bandwidth_bytes_per_s
        The two roofs: what dense products reach at this width, and the platform's bandwidth.
    """

    layer: str
    phase: str
    run_bits: int
    macs_per_byte: float
    macs_per_s: float
    peak_macs_per_s: float
    bandwidth_bytes_per_s: float


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
    return [point for layer in network.layers for point in _of_layer(layer, preset, batch)]


def _of_layer(layer: Layer, preset: Preset, batch: int) -> Iterator[Point]:
    injection = layer.injection
    dense = batch * op_count.dense_macs(layer)
    if (run_bits := preset.run_bits(layer.exact_bits)) is None:
        return
    moved = traffic.dense_traffic(layer, run_bits).of_batch(batch).total
    phase = dense_phase(layer, preset, layer.exact_bits, batch)
    yield _point(layer, "dense", run_bits, dense, moved, phase, preset)
    if injection is None:
        return
    tile = effective_fraction(injection, preset.tile_outputs.value)
    if tile:
        moved = traffic.exact_traffic(layer, injection, run_bits, tile, batch).of_batch(batch).total
        phase = exact_phase(layer, injection, preset, batch)
        yield _point(layer, "exact", run_bits, tile * dense, moved, phase, preset)
    bits = preset.run_bits(max(injection.weight_bits, injection.projected_bits))
    if bits is not None and op_count.needs_approximation(injection):
        macs = batch * op_count.approximation(layer, injection).macs
        stored = traffic.approximation_traffic(layer, injection, bits, bits, run_bits)
        moved = stored.of_batch(batch).total
        phase = approximation_phase(layer, injection, preset, batch)
        yield _point(layer, "approximation", bits, macs, moved, phase, preset)


def _point(
    layer: Layer, name: str, bits: int, macs: float, moved: float, phase: Phase, preset: Preset
) -> Point:
    return Point(
        layer=layer.name,
        phase=name,
        run_bits=bits,
        macs_per_byte=macs / moved,
        macs_per_s=macs / phase.seconds,
        peak_macs_per_s=preset.peak_macs_per_s[bits] * preset.utilisation_dense.value,
        bandwidth_bytes_per_s=preset.bandwidth_bytes_per_s.value,
    )
