from typing import Any

from hwmodel.movement import movements


def test_bytes_at_each_level(make_network: Any, layer_dict: Any, make_preset: Any) -> None:
    """On 32 x 8 multipliers, output stationary, three inputs at once, all channels but half."""
    array = {"rows": 32, "columns": 8, "dataflow": "output_stationary"}
    preset = make_preset({"8": 100.0}, array=array)
    layer = layer_dict({"selection": "channel"}, name="a", exact_bits=8)
    dense, projection, approximation, selection, exact = movements(make_network(layer), preset, 3)
    assert (dense.phase, exact.phase) == ("dense", "exact")
    assert dense.memory_weights == 32 * 144
    assert (dense.memory_inputs, dense.memory_outputs) == (3 * 16 * 784, 3 * 196 * 32)
    folds = -(-3 * 196 // 32)
    assert dense.array_weights == 32 * 144 * folds
    assert dense.array_inputs == 3 * 196 * 144 * 4
    assert dense.array_outputs == 4 * 3 * 196 * 32
    assert exact.array_weights == 3 * 16 * 144 * -(-196 // 32)
    assert exact.array_outputs == 4 * 3 * 196 * 16
    assert approximation.array_inputs == 3 * 196 * 18 * 4
    assert projection.memory_weights == 864 * 9 / 8
    assert selection.array_inputs is None
    vectors = movements(make_network(layer), make_preset({"8": 100.0}), 3)
    assert [row.memory_inputs for row in vectors] == [
        row.memory_inputs for row in (dense, projection, approximation, selection, exact)
    ]
    assert {row.array_weights for row in vectors} == {None}
    assert movements(make_network(layer_dict({}, name="b")), preset) == []
