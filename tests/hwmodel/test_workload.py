"""Products of phases as loops: as many multiplications as the phases have, measured densities."""

from typing import Any

import pytest

import hwmodel
from hwmodel.roofline import named_phases
from hwmodel.workload import Workload, workloads

SELECTIONS = ["threshold", "topk", "4x2", "channel", "2:4", "random"]


def by_phase(found: list[Workload]) -> dict[str, Workload]:
    return {each.phase: each for each in found}


@pytest.mark.parametrize("name", hwmodel.preset_names())
@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("batch", [1, 3])
def test_multiplications_are_those_of_the_phases(
    make_network: Any, layer_dict: Any, name: str, selection: str, batch: int
) -> None:
    layer = layer_dict({"selection": selection}, name="a", exact_bits=8)
    network, preset = make_network(layer), hwmodel.load_preset(name)
    found = by_phase(workloads(network, preset, batch))
    for phase_name, phase in named_phases(network.layers[0], preset, batch):
        if phase.work is not None:
            assert found[phase_name].macs == pytest.approx(phase.work.macs), phase_name
            assert found[phase_name].bits == phase.work.run_bits


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("grouped", {"groups": 2}),
        ("depthwise", {"groups": 16, "out_channels": 16}),
        ("one axis", {"in_size": [1, 28], "kernel_size": [1, 3], "padding": [0, 1]}),
        ("dilated", {"dilation": [2, 2], "padding": [2, 2]}),
    ],
)
def test_convolutions(make_network: Any, layer_dict: Any, kind: str, changes: Any) -> None:
    del kind
    network = make_network(layer_dict(None, name="a", exact_bits=8, **changes))
    layer = network.layers[0]
    (dense,) = workloads(network, hwmodel.load_preset("edge_npu"))
    assert dense.macs == layer.M * layer.n * layer.d
    assert dense.groups == layer.groups
    assert dense.kernel == layer.kernel_size
    assert dense.in_size == layer.in_size


def test_heads_are_groups(make_network: Any, layer_dict: Any) -> None:
    flat = {"kernel_size": [1, 1], "stride": [1, 1], "padding": [0, 0], "in_size": [1, 7]}
    heads = {"kind": "matmul", "in_channels": 32, "out_channels": 28, "groups": 4, **flat}
    network = make_network(layer_dict(None, name="a", exact_bits=8, **heads))
    (dense,) = workloads(network, hwmodel.load_preset("edge_npu"), batch=3)
    assert (dense.batch, dense.groups, dense.out_size) == (3, 4, (1, 7))
    assert dense.macs == 3 * 7 * 28 * 8


def test_densities_are_those_measured(make_network: Any, layer_dict: Any) -> None:
    injection = {"measured_fraction": 0.3, "occupancy": {"32": 0.75}, "nonzeros": 500}
    layer = layer_dict(injection, name="a", exact_bits=8, zero_inputs=0.25)
    found = by_phase(workloads(make_network(layer), hwmodel.load_preset("edge_npu")))
    assert found["dense"].inputs == 0.75
    assert found["dense"].outputs == found["dense"].weights == 1
    assert found["projection"].weights == 500 / (18 * 144)
    assert found["projection"].inputs == 0.75
    assert found["approximation"].inputs == 1
    assert found["exact"].outputs == 0.75


def test_elements_leave_the_share_of_single_neurons(
    make_network: Any, layer_dict: Any, make_preset: Any
) -> None:
    layer = layer_dict({"measured_fraction": 0.3}, name="a", exact_bits=8)
    preset = make_preset(elements={"neurons": 16, "in_step": 4})
    assert by_phase(workloads(make_network(layer), preset))["exact"].outputs == 0.3


def test_a_p_whose_zeros_are_skipped_is_a_product_too(
    make_network: Any, layer_dict: Any, make_preset: Any
) -> None:
    network = make_network(layer_dict({}, name="a", exact_bits=8))
    preset = make_preset({"8": 1.0}, skips_zeros=True)
    (phase,) = (p for n, p in named_phases(network.layers[0], preset, 1) if n == "projection")
    assert phase.work is None
    projection = by_phase(workloads(network, preset))["projection"]
    assert (projection.neurons, projection.kernel, projection.bits) == (18, (3, 3), 8)


def test_names_are_safe_for_files(make_network: Any, layer_dict: Any) -> None:
    network = make_network(layer_dict(None, name="../a b/\u00e9", exact_bits=8))
    (dense,) = workloads(network, hwmodel.load_preset("edge_npu"))
    assert dense.name == ".._a_b__.dense"
