"""Two of every four neighbouring weights are zero, INT8.

Mishra et al., Accelerating Sparse Deep Neural Networks, arXiv 2104.08378, section 2: a non-zero
weight is stored with 2 bits of where it is among its four, and the multipliers run twice as fast.
Picking the inputs takes energy, as it does for the method. Products of activations, grouped
convolutions and layers with fewer than four inputs stay dense, as do all where that is faster.
"""

from dataclasses import replace

from hwmodel.layer_spec import Layer
from hwmodel.phase import Phase, cheaper
from hwmodel.preset import Preset
from hwmodel.whole_layer import dense_phase, thinned_phase

NAMES = ("2:4 weights INT8",)
_BITS, _INDEX_BITS, _DENSITY = 8, 2, 0.5
HARDWARE = dict.fromkeys(NAMES, (_BITS, 4))


def phase(name: str, layer: Layer, preset: Preset, batch: int) -> Phase | str:
    """The layer on multipliers for such weights, where the platform has some."""
    del name
    if preset.skips_two_of_four is None or not preset.skips_two_of_four.value:
        return "no multipliers that skip them"
    dense = dense_phase(layer, preset, _BITS, batch)
    if layer.kind == "matmul" or layer.groups > 1 or layer.d < 4:
        return dense
    stored = _DENSITY * (_BITS + _INDEX_BITS) / _BITS
    sparse = thinned_phase(layer, preset, _BITS, batch, depth=_DENSITY, weights=stored)
    picked = replace(sparse, gathered=sparse.moved.inputs)
    return min(dense, picked, key=cheaper)
