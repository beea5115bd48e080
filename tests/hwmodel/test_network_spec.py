"""Whole files: versions, what is not counted, and texts that hide something."""

import json
from pathlib import Path
from typing import Any

import pytest
from injection_cases import refusal

import hwmodel
from hwmodel.op_count import dense_macs

THREE = {
    "kernel_size": [3, 3, 3], "stride": [1, 1, 1], "padding": [1, 1, 1], "dilation": [1, 1, 1],
    "in_size": [4, 6, 8],
}  # fmt: skip


def read(tmp_path: Path, data: dict[str, Any]) -> hwmodel.Network:
    path = tmp_path / "layers.json"
    path.write_text(json.dumps(data))
    return hwmodel.load(path)


@pytest.mark.parametrize("version", [3, 4])
def test_earlier_versions_are_read(
    version: int, tmp_path: Path, network_json: Any, layer_dict: Any
) -> None:
    data = network_json(layer_dict({}))
    assert read(tmp_path, data | {"version": version}) == read(tmp_path, data)


def test_kinds_of_convolutions_by_hand(tmp_path: Path, network_json: Any, layer_dict: Any) -> None:
    """16 channels to 32. Transposed: each input meets a kernel of 32 x 9 weights a channel."""
    data = network_json(
        layer_dict(None, name="cube", kind="conv3d", **THREE),
        layer_dict(None, name="up", kind="conv_transpose2d", in_size=[7, 7], out_size=[14, 14]),
        layer_dict(None, name="odd", kind="conv_transpose2d", in_size=[7, 7], out_size=[13, 14]),
        layer_dict(None, name="same", padding=[[0, 1], [1, 0]], kernel_size=[2, 2], stride=[1, 1]),
    )  # fmt: skip
    cube, up, odd, same = read(tmp_path, data).layers
    assert (cube.M, cube.n, cube.d, dense_macs(cube)) == (192, 32, 432, 192 * 32 * 432)
    assert cube.input_positions == 192
    assert (up.M, up.n, up.d, dense_macs(up)) == (49, 288, 16, 49 * 288 * 16)
    assert (up.outputs, odd.outputs) == (32 * 196, 32 * 182)
    assert up.input_positions == 49
    assert (same.M, same.d, same.input_positions) == (784, 64, 784)
    assert same.padding == ((0, 1), (1, 0))


def test_what_is_not_counted_is_kept(
    tmp_path: Path, network_json: Any, layer_dict: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from hwmodel.__main__ import main

    left_out = [{"name": "head.part", "operator": "aten.cdist"}, {"name": "", "operator": "x.y"}]
    network = read(tmp_path, network_json(layer_dict(None)) | {"uncounted": left_out})
    assert [part.operator for part in network.uncounted] == ["aten.cdist", "x.y"]
    for words in ([], ["--layers"]):
        assert main([str(tmp_path / "layers.json"), "--preset", "server_cpu", *words]) == 0
        told = "NOT COUNTED, though it reads parameters: head.part (aten.cdist), the model (x.y)"
        assert told in capsys.readouterr().out


@pytest.mark.parametrize("shape", [[12], [3, 4], [3, 4, 5, 6]])
def test_inputs_of_any_shape(
    tmp_path: Path, network_json: Any, layer_dict: Any, shape: list[int]
) -> None:
    data = network_json(layer_dict(None)) | {"input_shape": shape}
    assert read(tmp_path, data).input_shape == tuple(shape)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"k": 18', '"k": 18, "k": 17', 'has the key "k" twice in one object'),
        ('"version": 5', '"version": 5, "version": 5', 'has the key "version" twice'),
        ('"name": "conv"', '"name": "conv", "groups": 2', 'has the key "groups" twice'),
        ('"k": 18', '"k": 145', "layers[0].injection.k: should be at most d, the 144 inputs"),
        ('"nonzeros": 864', '"nonzeros": 0', "layers[0].injection.nonzeros: should be greater"),
        ('"occupancy": null', '"occupancy": {}', "layers[0].injection.occupancy: Dict"),
        ('"in_size": [28, 28]', '"in_size": [28, 1000000000]', "layers[0].in_size[1]: should be"),
        ('"in_channels": 16', '"in_channels": 1000000000', "layers[0].in_channels: should be"),
        ('"kernel_size": [3, 3]', '"kernel_size": [1000000000, 3]', "layers[0].kernel_size[0]: "),
        ('"padding": [1, 1]', '"padding": [1, [1, 1000000000]]', "layers[0].padding[1][1]: "),
        ('"stride": [2, 2]', '"stride": [2, 1000000000]', "layers[0].stride[1]: should be less"),
        ('"groups": 1', '"groups": 1e999', "layers[0].groups: should be"),
        ('"model": "example"', '"model": ' + 10**5 * "[" + 10**5 * "]", ""),
        ('"model": "example"', '"model": ' + 10**5 * '{"a":' + "1" + 10**5 * "}", ""),
        ('"kind": "conv2d"', '"kind": "conv3d"', "layers[0].kernel_size: should have 3 numbers"),
        (
            '"kind": "conv2d"',
            '"kind": "conv_transpose2d"',
            "layers[0].out_size: should be 55 to 56",
        ),
    ],
)
def test_refused_in_one_line(
    tmp_path: Path, network_json: Any, layer_dict: Any, old: str, new: str, expected: str
) -> None:
    text = json.dumps(network_json(layer_dict({})))
    assert old in text
    path = tmp_path / "layers.json"
    told = refusal(path, text.replace(old, new, 1))
    assert told.startswith(f"{path}: {expected}")
    assert len(told) < len(str(path)) + 250


def test_an_injection_into_a_transposed_convolution_is_refused(
    tmp_path: Path, network_json: Any, layer_dict: Any
) -> None:
    layer = layer_dict({}, kind="conv_transpose2d", in_size=[7, 7], out_size=[14, 14])
    told = refusal(tmp_path / "layers.json", json.dumps(network_json(layer)))
    assert "layers[0].injection: should be null for a transposed convolution" in told
