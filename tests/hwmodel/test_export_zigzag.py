"""Workloads hold what ZigZag's schema asks for, and its validator accepts them."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import hwmodel
from hwmodel.export_zigzag import zigzag_layer, zigzag_yaml
from hwmodel.workload import Workload, workloads

PYTHON = os.environ.get("ZIGZAG_PYTHON", "")
"""An interpreter that has zigzag-dse, which nothing here needs."""
RELATION = r"^(\w+)\s*=\s*(?:(\w+)\s*\*\s*)?(\w+)\s*\+\s*(?:(\w+)\s*\*\s*)?(\w+)$"
KEYS = {
    "id", "name", "operator_type", "equation", "dimension_relations", "loop_dims", "loop_sizes",
    "operand_precision", "operand_source", "pr_loop_dims", "pr_loop_sizes", "padding",
}  # fmt: skip


def test_a_layer_by_hand(make_network: Any, layer_dict: Any) -> None:
    network = make_network(layer_dict(None, name="a", exact_bits=8))
    (dense,) = workloads(network, hwmodel.load_preset("edge_npu"), batch=2)
    layer = zigzag_layer(3, dense)
    assert set(layer) == KEYS
    sizes = dict(zip(layer["loop_dims"], layer["loop_sizes"], strict=True))
    assert sizes == {
        "B": 2, "K": 32, "G": 1, "OX": 14, "OY": 14, "C": 16, "FX": 3, "FY": 3,
    }  # fmt: skip
    assert layer["dimension_relations"] == ["ix=2*ox+1*fx", "iy=2*oy+1*fy"]
    assert all(re.fullmatch(RELATION, relation) for relation in layer["dimension_relations"])
    assert layer["operand_precision"] == {"W": 8, "I": 8, "O": 16, "O_final": 8}
    assert layer["pr_loop_sizes"] == [28, 28]
    assert layer["padding"] == [[1, 1], [1, 1]]


@given(
    st.integers(1, 40), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3),
    st.floats(0.01, 1),
)  # fmt: skip
def test_rows_that_are_left_read_what_there_is(
    outputs: int, kernel: int, stride: int, dilation: int, pad: int, share: float
) -> None:
    """Loops, input size and padding agree along each axis, as ZigZag needs them to."""
    length = max(1, (outputs - 1) * stride + (kernel - 1) * dilation + 1 - 2 * pad)
    workload = Workload(
        "a", "exact", 1, 1, 4, 4, (outputs, 5), (kernel, 1), (stride, 1), (dilation, 1),
        (length, 5), ((pad, pad), (0, 0)), 8, outputs=share,
    )  # fmt: skip
    layer = zigzag_layer(0, workload)
    sizes = dict(zip(layer["loop_dims"], layer["loop_sizes"], strict=True))
    assert share * outputs <= sizes["OY"] < share * outputs + 1 or sizes["OY"] == 1
    above, below = layer["padding"][1]
    taken = (sizes["OY"] - 1) * stride + (kernel - 1) * dilation + 1
    if sizes["OY"] < outputs:
        assert above + layer["pr_loop_sizes"][1] + below == taken
    assert layer["pr_loop_sizes"][1] >= 1


def test_the_file_is_a_list_of_independent_layers(make_network: Any, layer_dict: Any) -> None:
    network = make_network(layer_dict({}, name="a", exact_bits=8))
    found = workloads(network, hwmodel.load_preset("edge_npu"))
    layers = yaml.safe_load(zigzag_yaml(found))
    assert [layer["id"] for layer in layers] == [0, 1, 2, 3]
    assert [layer["name"] for layer in layers] == [
        "a.dense", "a.projection", "a.approximation", "a.exact",
    ]  # fmt: skip
    assert all(layer["operand_source"] == dict.fromkeys("WI", layer["id"]) for layer in layers)


@pytest.mark.slow
def test_zigzag_takes_every_phase_and_multiplies_as_often(
    make_network: Any, layer_dict: Any, tmp_path: Path
) -> None:
    """In an environment of its own: ZIGZAG_PYTHON names its interpreter."""
    if not PYTHON:
        pytest.skip("ZIGZAG_PYTHON names no interpreter with zigzag-dse 3.9.1")
    network = make_network(
        layer_dict({"selection": "topk", "measured_fraction": 0.3}, name="a", exact_bits=8),
        layer_dict(None, name="b", groups=16, exact_bits=8),
    )
    found = workloads(network, hwmodel.load_preset("edge_npu"))
    (tmp_path / "workload.yaml").write_text(zigzag_yaml(found))
    script = Path(__file__).parent / "data" / "zigzag_run.py"
    command = [PYTHON, str(script), str(tmp_path / "workload.yaml"), str(tmp_path / "dump")]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    for workload in found:
        data = json.loads((tmp_path / "dump" / f"{workload.name}_complete.json").read_text())
        multiplied = data["outputs"]["energy"]["operational_energy"] / 0.04
        assert workload.macs <= multiplied * 1.000001
        rows = workload.out_size[0]
        assert multiplied <= workload.macs * 1.000001 + workload.macs / workload.outputs / rows
