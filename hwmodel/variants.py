"""A layer at other bits, or with another share of essential neurons."""

from hwmodel.granularity import carried_occupancy
from hwmodel.layer_spec import Layer


def at_bits(layer: Layer, bits: int) -> Layer:
    """The layer with its exact path at `bits`."""
    return layer.model_copy(update={"exact_bits": bits})


def at_fraction(layer: Layer, fraction: float) -> Layer:
    """The layer with another share of essential neurons.

    Masks of a selection that is not adjustable, as N:M, have the share that their kind gives them.
    Measured occupancies are carried over (`hwmodel.granularity.carried_occupancy`), but for those
    that can tell nothing of another share, of tiles that all run, or none: they are dropped. So are
    loads.
    """
    if layer.injection is None or not varies(layer):
        return layer
    measured = layer.injection.measured_fraction
    occupancy = {
        tile: carried_occupancy(share, measured, fraction, min(int(tile), layer.n // layer.groups))
        for tile, share in layer.injection.occupied.items()
        if 0 < share < 1 and 0 < measured < 1
    }
    changed = {
        "fraction": fraction, "measured_fraction": fraction, "occupancy": occupancy or None,
        "loads": None,
    }  # fmt: skip
    return layer.model_copy(update={"injection": layer.injection.model_copy(update=changed)})


def varies(layer: Layer) -> bool:
    """Whether the layer's masks could have another share."""
    return layer.injection is not None and layer.injection.selection.adjustable
