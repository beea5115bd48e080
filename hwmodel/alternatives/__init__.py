"""What else could be done with the same network: one file for each kind of alternative.

A file has ``NAMES``, ``HARDWARE`` (bits of the multipliers, and how many operands each picks one
of), and ``phase(name, layer, preset, batch)``: the phase of a layer, or why there is none. Early
exits change the network and are left out.
"""

from hwmodel.alternatives import dense, two_of_four, unstructured, zero_inputs
from hwmodel.layer_spec import Layer
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.rates import UnsupportedPrecisionError

_KINDS = (dense, two_of_four, unstructured, zero_inputs)
NAMES: tuple[str, ...] = tuple(name for kind in _KINDS for name in kind.NAMES)
"""In the order of the tables."""
HARDWARE: dict[str, tuple[int, int]] = {
    name: needs for kind in _KINDS for name, needs in kind.HARDWARE.items()
}
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
    kind = next(kind for kind in _KINDS if name in kind.NAMES)
    try:
        return kind.phase(name, layer, preset, batch)
    except UnsupportedPrecisionError as error:
        return str(error)
