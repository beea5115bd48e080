"""The network as it is, at other widths."""

from hwmodel.layer_spec import Layer
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.whole_layer import dense_phase

_BITS = {"dense FP32": 32, "dense FP16": 16, "dense INT8": 8, "dense INT4": 4}
NAMES = tuple(_BITS)
HARDWARE = {name: (bits, 1) for name, bits in _BITS.items()}


def phase(name: str, layer: Layer, preset: Preset, batch: int) -> Phase | str:
    """The layer at its width, where the platform has multipliers of it."""
    bits = _BITS[name]
    if preset.run_bits(bits) != bits:
        return f"no multipliers of {bits} bits"
    return dense_phase(layer, preset, bits, batch)
