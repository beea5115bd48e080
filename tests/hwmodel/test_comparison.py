"""The method beside its alternatives: points by the other tables, ranges that hold them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel
from hwmodel import alternatives
from hwmodel.assumptions import assuming, assumptions
from hwmodel.comparison import Comparison, Row, compare
from hwmodel.crossover import dense_seconds
from hwmodel.described import AS_DESCRIBED, AT_INT8
from hwmodel.errors import UserError
from hwmodel.network_spec import Network
from hwmodel.sourced import Constant
from hwmodel.variants import at_bits

TABLE = hwmodel.load_energy_table("horowitz_45nm")
PRESETS = {name: hwmodel.load_preset(name) for name in hwmodel.preset_names()}


@pytest.fixture(scope="module")
def network(make_network: Any, layer_dict: Any) -> Network:
    made: Network = make_network(
        layer_dict(None, name="first", exact_bits=8),
        layer_dict({"selection": "topk"}, name="inner", exact_bits=8, out_channels=64),
        layer_dict({"selection": "8x4"}, name="twin", exact_bits=8, in_channels=64),
    )
    return made


def row(compared: Comparison, name: str) -> Row:
    return next(row for row in compared.rows if row.name == name)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("batch", [1, 4])
def test_points_are_those_of_latency_and_energy(network: Network, name: str, batch: int) -> None:
    preset = PRESETS[name]
    compared = compare(network, preset, TABLE, batch)
    latency = hwmodel.latency(network, preset, batch)[-1]
    (energy,) = (
        row for row in hwmodel.energy(network, TABLE, preset, batch)
        if row.layer == "total" and row.bits == 8
    )  # fmt: skip
    found = row(compared, AS_DESCRIBED)
    assert found.cost is not None
    assert found.speedup is not None
    assert found.saved is not None
    assert found.cost.seconds == pytest.approx(latency.injected_s)
    assert found.cost.pj == pytest.approx(energy.injected.total_pj)
    assert compared.reference.seconds == pytest.approx(latency.dense_int8_s)
    assert compared.reference.pj == pytest.approx(energy.dense.total_pj)
    assert found.saved.value == pytest.approx(energy.reduction)
    dense = row(compared, "dense INT8")
    assert dense.speedup is not None
    assert (dense.speedup.value, dense.speedup.low, dense.speedup.high) == (1, 1, 1)
    assert dense.area in (1, None)


@pytest.mark.long
@pytest.mark.parametrize("name", ["edge_npu", "systolic_128x64"])
def test_ranges_hold_the_point_and_every_constant_alone(network: Network, name: str) -> None:
    preset = PRESETS[name]
    compared = compare(network, preset, TABLE)
    for assumption in assumptions(preset, TABLE):
        for end in assumption.ends:
            moved = compare(network, *assuming(preset, TABLE, {assumption: end}))
            for before, after in zip(compared.rows, moved.rows, strict=True):
                if before.speedup is None or after.speedup is None:
                    continue
                assert before.saved is not None
                assert after.saved is not None
                assert before.speedup.low <= before.speedup.value <= before.speedup.high
                assert before.speedup.low <= after.speedup.value <= before.speedup.high
                assert before.saved.low <= after.saved.value <= before.saved.high


def test_the_range_is_that_of_all_corners_where_a_number_rises_or_falls_with_each(
    network: Network, make_preset: Any
) -> None:
    def ranged(value: float, low: float, high: float) -> Constant:
        return Constant(value=value, low=low, high=high, tag="assumed", source="test")

    preset = make_preset(skips_zeros=False).model_copy(
        update={"overhead_s": ranged(1.0, 0.1, 5.0), "clock_hz": ranged(10.0, 5.0, 20.0)}
    )
    compared = compare(network, preset, TABLE)
    found = row(compared, AS_DESCRIBED).speedup
    assert found is not None
    corners = []
    overhead, clock = (a for a in assumptions(preset, TABLE) if a.of == "preset")
    for one in (0.1, 1.0, 5.0):
        for other in (5.0, 10.0, 20.0):
            there, _ = assuming(preset, TABLE, {clock: other, overhead: one})
            there_row = row(compare(network, there, TABLE), AS_DESCRIBED)
            assert there_row.speedup is not None
            corners.append(there_row.speedup.value)
    assert (found.low, found.high) == (pytest.approx(min(corners)), pytest.approx(max(corners)))


def test_a_flip_is_a_constant_that_turns_the_sign(network: Network, make_preset: Any) -> None:
    dear = Constant(value=1e5, low=1e-9, high=2e5, tag="assumed", source="test")
    preset = make_preset({"4": 1e6, "8": 1e2}, bandwidth_bytes_per_s=1e9, elementwise_per_cycle=1e6)
    preset = preset.model_copy(update={"overhead_s": dear})
    found = row(compare(network, preset, TABLE), AS_DESCRIBED)
    assert found.speedup is not None
    assert found.speedup.value < 1 < found.speedup.high
    (flip,) = found.faster
    assert (flip.assumption.name, flip.end) == ("overhead_s", 1e-9)
    assert flip.result > 1


def test_layers_that_decide_add_up(network: Network) -> None:
    preset = PRESETS["edge_npu"]
    compared = compare(network, preset, TABLE)
    found = row(compared, AS_DESCRIBED)
    assert found.cost is not None
    gained = compared.reference.seconds - found.cost.seconds
    assert sum(part.seconds for part in compared.deciding) == pytest.approx(gained)
    assert sum(part.pj for part in compared.deciding) == pytest.approx(
        compared.reference.pj - found.cost.pj
    )
    sizes = [abs(part.seconds) for part in compared.deciding]
    assert sizes == sorted(sizes, reverse=True)


def test_other_bits_have_a_row_of_their_own(network: Network) -> None:
    wide = network.model_copy(update={"layers": tuple(at_bits(x, 32) for x in network.layers)})
    compared = compare(wide, PRESETS["edge_npu"], TABLE)
    alone = compare(network, PRESETS["edge_npu"], TABLE)
    assert row(compared, AT_INT8).cost == row(alone, AS_DESCRIBED).cost
    assert row(compared, AS_DESCRIBED).cost != row(alone, AS_DESCRIBED).cost
    assert AT_INT8 not in [one.name for one in alone.rows]
    lacking = row(compare(wide, PRESETS["systolic_32x32"], TABLE), AS_DESCRIBED)
    assert (lacking.cost, lacking.lacks) == (None, "no multipliers of its bits")


def test_a_plain_network_has_alternatives_alone(plain: Network) -> None:
    compared = compare(plain, PRESETS["edge_npu"], TABLE)
    assert [row.name for row in compared.rows] == list(alternatives.NAMES)
    assert compared.deciding == ()
    dense = dense_seconds([at_bits(x, 8) for x in plain.layers], PRESETS["edge_npu"])
    assert compared.reference.seconds == pytest.approx(dense)


def test_a_platform_of_four_bits_has_no_reference(network: Network, make_preset: Any) -> None:
    with pytest.raises(UserError, match="no multipliers of 8 bits or more"):
        compare(network, make_preset({"4": 1.0}), TABLE)


@pytest.mark.long
@settings(max_examples=6)
@given(batch=st.integers(1, 9), name=st.sampled_from(sorted(PRESETS)))
def test_costs_add_up_over_layers(network: Network, batch: int, name: str) -> None:
    whole = compare(network, PRESETS[name], TABLE, batch)
    parts = [
        compare(network.model_copy(update={"layers": (layer,)}), PRESETS[name], TABLE, batch)
        for layer in network.layers
    ]
    for one in whole.rows:
        if one.cost is None or one.name == AS_DESCRIBED:
            continue
        costs = [row(part, one.name).cost for part in parts]
        assert one.cost.seconds == pytest.approx(sum(cost.seconds for cost in costs if cost))
        assert one.cost.pj == pytest.approx(sum(cost.pj for cost in costs if cost))


def test_a_projection_of_real_numbers_takes_wide_multipliers(
    make_network: Any, layer_dict: Any
) -> None:
    area = {
        kind: row(
            compare(
                make_network(layer_dict({"projection": kind, **nonzeros}, exact_bits=8)),
                PRESETS["edge_npu"], TABLE,
            ),
            AS_DESCRIBED,
        ).area
        for kind, nonzeros in (("sparse", {}), ("gaussian", {"nonzeros": 18 * 144}))
    }  # fmt: skip
    assert area["sparse"] is not None
    assert area["gaussian"] is not None
    assert area["gaussian"] > 3 * area["sparse"]


def test_layers_decide_with_their_exact_path_at_int8(network: Network) -> None:
    wide = network.model_copy(update={"layers": tuple(at_bits(x, 32) for x in network.layers)})
    found, expected = (
        compare(each, PRESETS["edge_npu"], TABLE).deciding for each in (wide, network)
    )
    assert found == expected
