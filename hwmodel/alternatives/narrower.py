"""A narrower network of the same depth, INT8: about half of the products, nothing to select.

Every layer has 1 / sqrt 2 of its channels in and out, rounded up, or of its groups where it has
several: half of the multiply-accumulates and weights, 0.71 of the activations. The image and the
classes are taken to shrink with the rest, which the first and the last layer are small enough for.
Whatever saves products has to beat it.
"""

from math import ceil, sqrt

from hwmodel.layer_spec import Layer
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.whole_layer import dense_phase

NAMES = ("narrower INT8",)
_BITS = 8
HARDWARE = dict.fromkeys(NAMES, (_BITS, 1))
_WIDTH = sqrt(0.5)


def phase(name: str, layer: Layer, preset: Preset, batch: int) -> Phase | str:
    """The layer with fewer channels."""
    del name
    return dense_phase(narrowed(layer), preset, _BITS, batch)


def narrowed(layer: Layer) -> Layer:
    """The layer with fewer channels in and out, or fewer groups of as many."""
    groups = ceil(_WIDTH * layer.groups) if layer.groups > 1 else 1
    share = groups / layer.groups if layer.groups > 1 else _WIDTH
    changed = {
        "in_channels": ceil(share * layer.in_channels),
        "out_channels": ceil(share * layer.out_channels),
        "groups": groups,
        "injection": None,
    }
    return layer.model_copy(update=changed)
