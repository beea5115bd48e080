"""Problems hold what Timeloop's front end declares, and nothing else."""

from typing import Any

import pytest
import yaml

import hwmodel
from hwmodel.export_timeloop import timeloop_problem, timeloop_yaml
from hwmodel.workload import workloads

# pytimeloop's classes Problem, Shape, DataSpace, Instance and Density of version 0.4.
DISTRIBUTIONS = ("fixed_structured", "hypergeometric", "banded")


def check(data: Any) -> None:
    """As the front end checks it: known keys, projections of declared names, whole sizes."""
    assert set(data) == {"problem"}
    problem = data["problem"]
    assert set(problem) == {"version", "shape", "instance"}
    assert problem["version"] == "0.4"
    shape, instance = problem["shape"], problem["instance"]
    assert set(shape) == {"name", "dimensions", "coefficients", "data_spaces"}
    coefficients = {entry["name"] for entry in shape["coefficients"]}
    names = set()
    for space in shape["data_spaces"]:
        assert set(space) <= {"name", "projection", "read_write"}
        names.add(space["name"])
        for axis in space["projection"]:
            for dimension, *factor in axis:
                assert dimension in shape["dimensions"]
                assert set(factor) <= coefficients
    sizes = {k: v for k, v in instance.items() if k != "densities"}
    assert set(sizes) == set(shape["dimensions"]) | coefficients
    assert all(isinstance(size, int) and size >= 1 for size in sizes.values())
    for space, density in instance.get("densities", {}).items():
        assert space in names
        assert set(density) == {"distribution", "density"}
        assert density["distribution"] in DISTRIBUTIONS
        assert 0 < density["density"] < 1


@pytest.mark.parametrize("selection", ["topk", "channel", "4x2", "2:4"])
def test_every_phase(make_network: Any, layer_dict: Any, selection: str) -> None:
    injection = {"selection": selection, "measured_fraction": 0.3}
    layer = layer_dict(injection, name="a", exact_bits=8, zero_inputs=0.25, groups=1)
    found = workloads(make_network(layer), hwmodel.load_preset("edge_npu"), batch=2)
    assert len(found) == 4
    for workload in found:
        data = timeloop_problem(workload)
        check(data)
        assert yaml.safe_load(timeloop_yaml(workload)) == data
        assert "&" not in timeloop_yaml(workload)


def test_sizes_and_densities_by_hand(make_network: Any, layer_dict: Any) -> None:
    injection = {"measured_fraction": 0.3, "occupancy": {"32": 0.75}, "nonzeros": 648}
    layer = layer_dict(injection, name="a", exact_bits=8, zero_inputs=0.25)
    found = {w.phase: w for w in workloads(make_network(layer), hwmodel.load_preset("edge_npu"))}
    exact = timeloop_problem(found["exact"])["problem"]["instance"]
    assert exact == {
        "N": 1, "G": 1, "M": 32, "C": 16, "P": 14, "Q": 14, "R": 3, "S": 3, "Hstride": 2,
        "Wstride": 2, "Hdilation": 1, "Wdilation": 1,
        "densities": {
            "Inputs": {"distribution": "hypergeometric", "density": 0.75},
            "Outputs": {"distribution": "hypergeometric", "density": 0.75},
        },
    }  # fmt: skip
    projection = timeloop_problem(found["projection"])["problem"]["instance"]
    assert projection["densities"]["Weights"] == {
        "distribution": "fixed_structured", "density": 0.25,
    }  # fmt: skip
    assert "densities" not in timeloop_problem(found["approximation"])["problem"]["instance"]
