"""Layers at other bits and shares."""

from typing import Any

from hwmodel.variants import at_bits, at_fraction, varies


def test_only_what_is_asked_for_changes(make_layer: Any) -> None:
    layer = make_layer({"occupancy": {"4": 0.75}})
    assert at_bits(layer, 8).model_dump() == layer.model_dump() | {"exact_bits": 8}
    other = at_fraction(layer, 0.25)
    assert other.injection is not None
    assert other.injection.fraction == other.injection.measured_fraction == 0.25
    assert other.injection.occupancy is not None
    assert 0.25 < other.injection.occupancy["4"] < 0.75
    pairs = make_layer({"selection": "2:4"})
    assert (varies(layer), varies(pairs), varies(make_layer(None))) == (True, False, False)
    assert at_fraction(pairs, 0.1) is pairs
