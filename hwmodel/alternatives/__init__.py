"""What else could be done with the same network: one file for each kind of alternative.

A file has ``NAMES``, ``HARDWARE`` (bits of the multipliers, and how many operands each picks one
of), and ``phase(name, layer, preset, batch)``: the phase of a layer, or why there is none. Early
exits change the network and are left out.
"""

from collections.abc import Callable

from hwmodel.alternatives import dense, narrower, two_of_four, unstructured, zero_inputs
from hwmodel.layer_spec import Layer
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.rates import UnsupportedPrecisionError

_Way = Callable[[str, Layer, Preset, int], Phase | str]
_WAYS: dict[str, _Way] = {
    **dict.fromkeys(dense.NAMES, dense.phase),
    **dict.fromkeys(narrower.NAMES, narrower.phase),
    **dict.fromkeys(two_of_four.NAMES, two_of_four.phase),
    **dict.fromkeys(unstructured.NAMES, unstructured.phase),
    **dict.fromkeys(zero_inputs.NAMES, zero_inputs.phase),
}
NAMES: tuple[str, ...] = tuple(_WAYS)
"""In the order of the tables."""
HARDWARE: dict[str, tuple[int, int]] = (
    dense.HARDWARE
    | narrower.HARDWARE
    | two_of_four.HARDWARE
    | unstructured.HARDWARE
    | zero_inputs.HARDWARE
)
"""Name -> bits of the multipliers, and how many operands each picks one of."""
BY_DATA = frozenset(zero_inputs.NAMES)
"""Those whose cost hangs on the data that a layer gets: layers of one shape differ."""


def phase(name: str, layer: Layer, preset: Preset, batch: int = 1) -> Phase | str:
    """Phase of a layer under an alternative; a sentence where there is none.

    Parameters
    ----------
    name
        One of `NAMES`.
    layer
        Of which the injection is left aside.
    preset
        The platform.
    batch
        Inputs at once.
    """
    try:
        return _WAYS[name](name, layer, preset, batch)
    except UnsupportedPrecisionError as error:
        return str(error)
