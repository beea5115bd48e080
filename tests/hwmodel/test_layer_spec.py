import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from injection_cases import refusal

import hwmodel

Path_ = tuple[str | int, ...]


INJ = ("layers", 1, "injection")


def set_at(data: Any, path: Path_, value: Any) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


def delete_at(data: Any, path: Path_) -> None:
    for key in path[:-1]:
        data = data[key]
    del data[path[-1]]


@pytest.fixture
def example(network_json: Any, layer_dict: Any) -> dict[str, Any]:
    linear = {"kind": "linear", "kernel_size": [1, 1], "stride": [1, 1], "padding": [0, 0]}
    return network_json(
        layer_dict(None, name="first"),
        layer_dict({}, name="second"),
        layer_dict(None, name="fc", in_size=[1, 7], **linear),
    )


def test_load_reads_every_field(tmp_path: Path, example: dict[str, Any]) -> None:
    path = tmp_path / "layers.json"
    path.write_text(json.dumps(example))
    network = hwmodel.load(path)
    assert (network.version, network.model, network.input_shape) == (5, "example", (1, 28, 28))
    first, second, fc = network.layers
    assert first.injection is None
    assert second.injection is not None
    assert json.loads(second.model_dump_json()) == example["layers"][1]
    assert (second.d, second.n, second.M) == (144, 32, 196)
    assert (fc.d, fc.n, fc.M) == (16, 32, 7)


def test_sizes_of_a_grouped_dilated_convolution(make_layer: Any) -> None:
    layer = make_layer(
        None, groups=4, kernel_size=[3, 5], stride=[2, 1], padding=[0, 2], dilation=[2, 1]
    )
    assert layer.d == 4 * 15
    assert layer.n == 32
    assert layer.out_size == (12, 28)
    assert layer.M == 336


def test_optional_keys_may_be_left_out(tmp_path: Path, example: dict[str, Any]) -> None:
    delete_at(example, ("layers", 0, "injection"))
    for key in ("occupancy", "loads", "k_c", "normalise"):
        delete_at(example, (*INJ, key))
    for key in ("algorithm", "comparisons", "additions", "n_of_m", "randomised"):
        delete_at(example, (*INJ, "selection", key))
    for key in ("pool", "randomised"):
        delete_at(example, (*INJ, "noise", key))
    set_at(example, (*INJ, "projection"), {"name": "any", "real": True})
    path = tmp_path / "layers.json"
    path.write_text(json.dumps(example))
    network = hwmodel.load(path)
    assert network.layers[0].injection is None
    injection = network.layers[1].injection
    assert injection is not None
    assert (injection.k_c, injection.normalise, injection.noise.pool) == (None, False, 1)
    selection = injection.selection
    assert (selection.algorithm, selection.n_of_m, selection.randomised) == (None, None, False)
    assert selection.comparisons == selection.additions == 0
    assert injection.projection.nonzero_bits is None


BAD_VALUES: list[tuple[Path_, Any, str]] = [
    (("version",), 1, "version: should be 5 (describe the network again), got 1"),
    (("model",), 3, "model: should be a valid string, got 3"),
    (("input_shape",), [1, 28, 0], "input_shape[2]: should be greater than 0, got 0"),
    (("layers",), [], "layers: Tuple should have at least 1 item"),
    (("surprise",), 1, "surprise: is not a known key"),
    (("layers", 1, "name"), "first", 'layers[1].name: should be unique, got "first"'),
    (("layers", 1, "name"), "total", "layers[1].name: should not be 'total'"),
    (("layers", 1, "name"), "", "layers[1].name: String should have at least 1 character"),
    (("layers", 1, "kind"), "conv1d", "layers[1].kind: should be 'conv2d', 'conv3d', "),
    (("layers", 1, "in_channels"), -4, "layers[1].in_channels: should be greater than 0, got -4"),
    (("layers", 1, "in_channels"), "16", "layers[1].in_channels: should be a valid integer"),
    (("layers", 1, "groups"), 3, "layers[1].groups: should divide in_channels and out_channels"),
    (("layers", 1, "out_channels"), 0, "layers[1].out_channels: should be greater than 0"),
    (("layers", 1, "stride"), [2], "layers[1].stride: Tuple should have at least 2 items"),
    (("layers", 1, "padding"), [0, -1], "layers[1].padding[1][0]: should be greater than or"),
    (("layers", 1, "out_size"), [14, 13], "layers[1].out_size: should be [14, 14], which follows"),
    (("layers", 1, "exact_bits"), 9, "layers[1].exact_bits: should be 2, 3, 4, 5, 6, 7, 8, 16 or"),
    (("layers", 1, "extra"), 9, "layers[1].extra: is not a known key"),
    (
        ("layers", 2, "kernel_size"),
        [3, 3],
        "layers[2].kernel_size: should be [1, 1] for the kind linear",
    ),
    (("layers", 2, "stride"), [2, 1], "layers[2].stride: should be [1, 1] for the kind linear"),
    (("layers", 2, "padding"), [1, 1], "layers[2].padding: should be [0, 0] for the kind linear"),
    (("layers", 2, "groups"), 2, "layers[2].groups: should be 1 for a linear layer, got 2"),
    (
        ("layers", 2, "in_size"),
        [2, 7],
        "layers[2].in_size: should be [1, positions] for the kind linear",
    ),
    ((*INJ, "projection"), "dct", "layers[1].injection.projection: should be an object"),
    (
        (*INJ, "projection", "nonzero_bits"),
        0,
        "layers[1].injection.projection.nonzero_bits: should",
    ),
    ((*INJ, "k"), 0, "layers[1].injection.k: should be greater than 0, got 0"),
    ((*INJ, "k_c"), 0, "layers[1].injection.k_c: should be greater than 0, got 0"),
    ((*INJ, "nonzeros"), -1, "layers[1].injection.nonzeros: should be greater than 0, got -1"),
    (
        (*INJ, "nonzeros"),
        2593,
        "layers[1].injection.nonzeros: should be at most the entries of P, 2592, got 2593",
    ),
    ((*INJ, "weight_bits"), 1, "layers[1].injection.weight_bits: should be 2, 3"),
    ((*INJ, "fraction"), 1.5, "layers[1].injection.fraction: should be less than or equal to 1"),
    ((*INJ, "measured_fraction"), -0.1, "layers[1].injection.measured_fraction: should be greater"),
    ((*INJ, "selection"), "best", "layers[1].injection.selection: should be an object"),
    ((*INJ, "selection", "judges"), "z", "layers[1].injection.selection.judges: should be 'approx"),
    (
        (*INJ, "selection", "judges"),
        "nothing",
        "layers[1].injection.selection.algorithm: should be null where nothing is judged",
    ),
    (
        (*INJ, "selection", "algorithm"),
        "sort",
        "layers[1].injection.selection.algorithm: should be 'quickselect'",
    ),
    (
        (*INJ, "selection", "comparisons"),
        -1,
        "layers[1].injection.selection.comparisons: should be greater than or equal to 0",
    ),
    (
        (*INJ, "selection", "tile", "channels"),
        0,
        "layers[1].injection.selection.tile.channels: should be greater than 0",
    ),
    (
        (*INJ, "selection", "n_of_m"),
        [3, 2],
        "layers[1].injection.selection.n_of_m: should be [N, M] with N at most M, got [3, 2]",
    ),
    ((*INJ, "noise"), "laplace", "layers[1].injection.noise: should be an object"),
    ((*INJ, "noise", "uses"), "z", "layers[1].injection.noise.uses: should be 'approximate'"),
    (
        (*INJ, "noise", "pool"),
        2,
        "layers[1].injection.noise.pool: should be 1 for a noise that draws nothing, got 2",
    ),
    ((*INJ, "noise", "pool"), 0, "layers[1].injection.noise.pool: should be greater than 0, got 0"),
    ((*INJ, "occupancy"), {"4": 0.3}, "layers[1].injection.occupancy.4: should be 0.5 to 1,"),
    ((*INJ, "extra"), 1, "layers[1].injection.extra: is not a known key"),
]


def test_occupancy_of_groups_is_that_of_their_own_tiles(make_layer: Any) -> None:
    """Four tiles of 16 with the 8 neurons of a group each, of which 2 of 32 reach two at most."""
    few = {"selection": "topk", "measured_fraction": 0.0625, "nonzeros": 9}
    for share in (0.0625, 0.5):
        assert make_layer(few | {"occupancy": {"16": share}}, groups=4).injection
    with pytest.raises(ValueError, match=r"should be 0\.03125 to 0\.5, by the measured_fraction"):
        make_layer(few | {"occupancy": {"16": 0.6}}, groups=4)


@pytest.mark.parametrize(("where", "value", "expected"), BAD_VALUES)
def test_bad_value_names_file_and_field(
    tmp_path: Path, example: dict[str, Any], where: Path_, value: Any, expected: str
) -> None:
    set_at(example, where, value)
    path = tmp_path / "layers.json"
    assert refusal(path, json.dumps(example)).startswith(f"{path}: {expected}")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (("version",), "version: is missing"),
        (("layers", 1, "kind"), "layers[1].kind: is missing"),
        ((*INJ, "nonzeros"), "layers[1].injection.nonzeros: is missing"),
    ],
)
def test_missing_key_is_named(
    tmp_path: Path, example: dict[str, Any], where: Path_, expected: str
) -> None:
    delete_at(example, where)
    path = tmp_path / "layers.json"
    assert refusal(path, json.dumps(example)) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("{", "Invalid JSON: EOF while parsing"),
        ("[1]", "should be an object, got [1]"),
        (b"\xff\xfe", "Invalid JSON"),
        ('{"version": 3, "model": "x", "input_shape": [1,2,3], "layers": NaN}', "layers: should"),
    ],
)
def test_file_that_is_no_network(tmp_path: Path, text: str | bytes, expected: str) -> None:
    path = tmp_path / "layers.json"
    assert refusal(path, text).startswith(f"{path}: {expected}")


def test_not_a_number_is_refused(tmp_path: Path, example: dict[str, Any]) -> None:
    set_at(example, (*INJ, "fraction"), float("nan"))
    path = tmp_path / "layers.json"
    expected = "layers[1].injection.fraction: should be a finite number"
    assert refusal(path, json.dumps(example)).startswith(f"{path}: {expected}")


def test_area_of_an_oblong_kernel(make_layer: Callable[..., Any]) -> None:
    tap_shared = {"projection": "tap_shared", "k": 30, "k_c": 2, "nonzeros": 5}
    layer = make_layer(tap_shared, kernel_size=[3, 5], padding=[1, 2])
    assert layer.d == 16 * 15
    with pytest.raises(ValueError, match="should be k_c times the kernel's area, 30"):
        make_layer({**tap_shared, "k": 18}, kernel_size=[3, 5], padding=[1, 2])


def test_long_values_are_shortened(tmp_path: Path, example: dict[str, Any]) -> None:
    set_at(example, ("version",), "x" * 500)
    text = refusal(tmp_path / "layers.json", json.dumps(example))
    assert text.endswith("x...")
    assert len(text) < len(str(tmp_path)) + 150


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(hwmodel.LayerSpecError, match=r"layers\.json: cannot be read: No such file"):
        hwmodel.load(tmp_path / "layers.json")
    with pytest.raises(hwmodel.LayerSpecError, match="cannot be read: Is a directory"):
        hwmodel.load(tmp_path)
