"""Two of every four neighbouring weights are zero, INT8.

Products of activations, grouped convolutions and layers with fewer than four inputs stay dense, as
do all where that is faster.
"""

from hwmodel.layer_spec import Layer
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.whole_layer import dense_phase, two_of_four_phase

NAMES = ("2:4 weights INT8",)
_BITS = 8
HARDWARE = dict.fromkeys(NAMES, (_BITS, 4))


def phase(name: str, layer: Layer, preset: Preset, batch: int) -> Phase | str:
    """The layer on multipliers for such weights, where the platform has some."""
    del name
    if preset.skips_two_of_four is None or not preset.skips_two_of_four.value:
        return "no multipliers that skip them"
    stays_dense = layer.kind == "matmul" or layer.groups > 1 or layer.d < 4
    timed = dense_phase if stays_dense else two_of_four_phase
    return timed(layer, preset, _BITS, batch)
