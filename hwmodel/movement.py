"""Bytes that each phase of a layer moves, from memory and to and from a systolic array."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwmodel.alike import alike
from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.rates import array_bytes
from hwmodel.roofline import named_phases


@dataclass(frozen=True, slots=True)
class Movement:
    """Bytes of one phase of a layer, for one batch.

    Attributes
    ----------
    layer, phase
        Names; the phase is ``dense`` or one of `roofline.PHASES`.
    memory_weights, memory_inputs, memory_outputs
        Between memory and the chip, as often as they cross: see `hwmodel.traffic` and
        `hwmodel.refetch`.
    array_weights, array_inputs, array_outputs
        Between a systolic array and its buffers; None on other platforms, and for phases without
        products.
    """

    layer: str
    phase: str
    memory_weights: float
    memory_inputs: float
    memory_outputs: float
    array_weights: float | None
    array_inputs: float | None
    array_outputs: float | None


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

    def of_layer(layer: Layer) -> Sequence[Movement]:
        phases = named_phases(layer, preset, batch)
        return [_movement(layer, name, phase, preset) for name, phase in phases]

    return alike(network.layers, of_layer, lambda row, name: replace(row, layer=name))


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
