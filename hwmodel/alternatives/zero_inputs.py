"""Inputs of a layer that are zero already, as behind a ReLU, INT8.

Their share is measured on data and stands in ``layers.json``. Cnvlutin (Albericio et al., ISCA
2016) skips them; Eyeriss (Chen et al., JSSC 2017) stores them compressed and gates their
multiplications, which saves energy and no time. Here a platform that skips them takes a
multiply-accumulate for each of the others, and stores a bit for each input beside those that are
not zero; one that does not gains nothing. Each lane of Cnvlutin picks its input among 16 (its
section 4), as one here does; that takes energy, as it does for the method.
"""

from dataclasses import replace

from hwmodel.layer_spec import Layer
from hwmodel.phase import Phase, cheaper
from hwmodel.preset import Preset
from hwmodel.whole_layer import dense_phase, thinned_phase

NAMES = ("zero inputs skipped INT8",)
_BITS = 8
HARDWARE = dict.fromkeys(NAMES, (_BITS, 16))


def phase(name: str, layer: Layer, preset: Preset, batch: int) -> Phase | str:
    """The layer without the products by zero, as it is where their share is not known."""
    del name
    if preset.skips_zero_inputs is None or not preset.skips_zero_inputs.value:
        return "no multipliers that skip them"
    if layer.zero_inputs is None:  # as of products of activations
        return dense_phase(layer, preset, _BITS, batch)
    left = 1 - layer.zero_inputs
    stored = min(1.0, left + 1 / _BITS)
    dense = dense_phase(layer, preset, _BITS, batch)
    thinned = thinned_phase(layer, preset, _BITS, batch, depth=left, inputs=stored)
    picked = replace(thinned, gathered=thinned.moved.inputs)
    return min(dense, picked, key=cheaper)
