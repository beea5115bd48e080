"""What stays on the chip where the phases of a layer are fused.

The projected inputs of a position go into its approximation at once. Scores, mask and the inputs of
the exact part stay if the buffer holds what has to wait: nothing but a position's own where each is
decided by itself (a threshold, N:M), all scores, the mask and all inputs of an image where scores
are ranked over the whole output. All of it or nothing is kept, in half of the buffer: the other is
for what a phase works on (`hwmodel.refetch`).

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
    """

    projected: bool
    scores: bool


def held_bytes(layer: Layer, injection: Injection, input_bits: int, score_bits: int) -> float:
    """Bytes of one input that have to wait on the chip for the choice of essential neurons.

    Parameters
    ----------
    layer, injection
        The layer.
    input_bits, score_bits
        As the platform stores the inputs of the exact path, and the scores.
    """
    if injection.selection.waits_for_all:
        neurons, inputs = layer.M * layer.n, op_count.input_values(layer)
    else:
        neurons, inputs = layer.n, layer.groups * layer.d
    return (neurons * (score_bits + 1) + inputs * input_bits) / _BITS_PER_BYTE


def kept(layer: Layer, injection: Injection, preset: Preset, score_bits: int) -> Kept:
    """What stays by the schedule and the buffer of a platform.

    Parameters
    ----------
    layer, injection, preset
        The layer, and where it runs.
    score_bits
        At which scores are compared.
    """
    if preset.order == "serial":
        return Kept(projected=False, scores=False)
    input_bits = preset.run_bits(layer.exact_bits) or layer.exact_bits
    held = held_bytes(layer, injection, input_bits, score_bits)
    half = worked_on_bytes(preset)
    return Kept(projected=True, scores=half is None or held <= half)
