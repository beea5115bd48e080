"""What stays on the chip where the phases of a layer are fused.

The projected inputs of a position go into its approximation at once. Scores, mask and the inputs of
the exact part stay if the buffer holds what has to wait (`held_bytes`), and so does z~ if that fits
beside them (`held_approximation_bytes`): then a neuron that the exact part computes is written
once. Each is kept whole or not at all, in half of the buffer: the other is for what a phase works
on (`hwmodel.refetch`).

Source: NENNI cost protocol; all or nothing is chosen here.
"""

from dataclasses import dataclass

from hwmodel import op_count
from hwmodel.injection_spec import Injection
from hwmodel.layer_spec import Layer
from hwmodel.preset import Preset
from hwmodel.refetch import worked_on_bytes

_BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """What does not cross the memory.

    Attributes
    ----------
    projected
        P x, between projection and approximation.
    scores
        Scores and mask, and the inputs that the projection has read, for the exact part.
    approximation
        z~ of the tiles that the exact part computes, until that has written them.
    """

    projected: bool
    scores: bool
    approximation: bool


def held_bytes(
    layer: Layer, injection: Injection, input_bits: int, score_bits: int, batch: int = 1
) -> float:
    """Bytes that have to be on the chip, so that what phases share crosses the memory once.

    Phases share the weights of a batch, so that all its inputs go through one phase before the
    next begins: where scores are ranked, those of all inputs wait. Where each position is decided
    by itself, phases take turns, and either the weights of both paths or all inputs stay.

    Parameters
    ----------
    layer, injection
        The layer.
    input_bits, score_bits
        As the platform stores weights and inputs of the exact path, and the scores.
    batch
        Inputs at once.
    """
    inputs = batch * op_count.input_values(layer) * input_bits
    if injection.selection.waits_for_all:
        scores = batch * layer.M * layer.n * (score_bits + 1)
        return (scores + inputs) / _BITS_PER_BYTE
    weights = layer.n * (layer.d * input_bits + injection.k * injection.weight_bits)
    position = layer.n * (score_bits + 1) + layer.groups * layer.d * input_bits
    return (min(weights, inputs) + position) / _BITS_PER_BYTE


def held_approximation_bytes(
    layer: Layer, injection: Injection, output_bits: int, batch: int = 1
) -> float:
    """Bytes of z~ that wait with the scores: of all inputs, or of one position.

    None wait where z~ is no output of any neuron.

    Parameters
    ----------
    layer, injection
        The layer.
    output_bits
        As the platform stores outputs.
    batch
        Inputs at once.
    """
    if injection.noise.uses != "approximate":
        return 0.0
    positions = batch * layer.M if injection.selection.waits_for_all else 1
    return positions * layer.n * output_bits / _BITS_PER_BYTE


def kept(
    layer: Layer, injection: Injection, preset: Preset, score_bits: int, batch: int = 1
) -> Kept:
    """What stays by the schedule and the buffer of a platform.

    Parameters
    ----------
    layer, injection, preset
        The layer, and where it runs.
    score_bits
        At which scores are compared.
    batch
        Inputs at once.
    """
    if preset.order == "serial":
        return Kept(projected=False, scores=False, approximation=False)
    bits = preset.run_bits(layer.exact_bits) or layer.exact_bits
    half = worked_on_bytes(preset)
    if half is None:
        return Kept(projected=True, scores=True, approximation=True)
    held = held_bytes(layer, injection, bits, score_bits, batch)
    more = held_approximation_bytes(layer, injection, bits, batch)
    return Kept(projected=True, scores=held <= half, approximation=held + more <= half)
