"""Layers of one shape are worked out once."""

from dataclasses import replace
from typing import Any

from hwmodel.alike import alike, counted, grouped
from hwmodel.bitops import Term
from hwmodel.layer_spec import Layer


def test_rows_are_worked_out_once_for_each_shape(make_network: Any, layer_dict: Any) -> None:
    layers = [
        layer_dict(None, name="a"), layer_dict({}, name="b"), layer_dict(None, name="c"),
        layer_dict({"occupancy": {"4": 0.6}}, name="d"), layer_dict({}, name="e"),
    ]  # fmt: skip
    network = make_network(*layers)
    asked = []

    def rows(layer: Layer) -> list[Term]:
        asked.append(layer.name)
        return [Term(layer.name, term, layer.n, 0, 0, 0, "", 0) for term in ("x", "y")]

    found = alike(network.layers, rows, lambda row, name: replace(row, layer=name))
    assert asked == ["a", "b", "d"]
    assert [(row.layer, row.term) for row in found] == [(n, t) for n in "abcde" for t in "xy"]
    assert [(layer.name, n) for layer, n in counted(network.layers)] == [
        ("a", 2), ("b", 2), ("d", 1),
    ]  # fmt: skip
    assert grouped(network).layers == 5


def test_whatever_a_cost_hangs_on_tells_layers_apart(make_layer: Any) -> None:
    plain = make_layer({})
    changes = (
        {"k": 17}, {"nonzeros": 9}, {"weight_bits": 8}, {"input_bits": 8}, {"projected_bits": 8},
        {"measured_fraction": 0.25}, {"occupancy": {"4": 0.6}}, {"normalise": True},
        {"selection": "threshold"}, {"selection": "2:4"}, {"selection": "4x4"},
        {"algorithm": "bisection"}, {"noise": "zero"}, {"projection": "gaussian"},
    )  # fmt: skip
    others = [make_layer(change) for change in changes]
    others += [
        make_layer({}, exact_bits=8), make_layer({}, padding=[[0, 1], [1, 0]], in_size=[29, 29]),
        make_layer(None),
    ]  # fmt: skip
    shapes = {layer.shape for layer in (plain, *others)}
    assert len(shapes) == 1 + len(others)
    assert make_layer({}, name="other").shape == plain.shape
