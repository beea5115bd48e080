"""Another defence has rows of its own: its cost is that of its layers, its area what it needs."""

from typing import Any

import pytest

import hwmodel
from hwmodel.comparison import Comparison, Row, compare
from hwmodel.defence_spec import Defence
from hwmodel.described import AS_DESCRIBED, AT_INT8, own_names
from hwmodel.errors import UserError
from hwmodel.network_spec import Network

TABLE = hwmodel.load_energy_table("horowitz_45nm")
EDGE, H100 = hwmodel.load_preset("edge_npu"), hwmodel.load_preset("h100")
NOISE = {"name": "pni", "draws": 5000, "macs": 5000}
RANKED = {"name": "k_wta", "ranked": 6000}


@pytest.fixture(scope="module")
def plain(make_network: Any, layer_dict: Any) -> Network:
    made: Network = make_network(*(layer_dict(None, name=f"layer{i}") for i in range(3)))
    return made


def defended(network: Network, bits: int = 32, **defence: Any) -> Network:
    change = {"defence": Defence(**defence), "exact_bits": bits}
    layers = tuple(layer.model_copy(update=change) for layer in network.layers)
    return network.model_copy(update={"layers": layers})


def row(compared: Comparison, name: str) -> Row:
    return next(row for row in compared.rows if row.name == name)


def test_a_network_is_called_by_what_is_in_it(
    plain: Network, make_network: Any, layer_dict: Any
) -> None:
    assert own_names(plain) == ()
    assert own_names(defended(plain, **NOISE)) == ("pni", "pni at INT8")
    assert own_names(make_network(layer_dict({"selection": "topk"}))) == (AS_DESCRIBED, AT_INT8)
    mixed = (*defended(plain, **NOISE).layers[:1], *defended(plain, **RANKED).layers[1:])
    assert own_names(plain.model_copy(update={"layers": mixed})) == (
        "pni, k_wta",
        "pni, k_wta at INT8",
    )


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("defence", [NOISE, RANKED])
def test_its_cost_is_that_of_the_tables(defence: Any, batch: int, plain: Network) -> None:
    network = defended(plain, 8, **defence)
    compared = compare(network, EDGE, TABLE, batch)
    found = row(compared, defence["name"])
    assert compared.rows[0] is found
    assert found.cost is not None
    assert found.cost.seconds == pytest.approx(hwmodel.latency(network, EDGE, batch)[-1].injected_s)
    (energy,) = (
        row for row in hwmodel.energy(network, TABLE, EDGE, batch)
        if row.layer == "total" and row.bits == 8
    )  # fmt: skip
    assert found.cost.pj == pytest.approx(energy.injected.total_pj)
    assert found.cost.pj > compared.reference.pj
    assert not any(each.name.endswith("at INT8") for each in compared.rows), "it is so already"


def test_what_rounds_to_fewer_bits_has_no_row_at_more(plain: Network) -> None:
    names = [each.name for each in compare(defended(plain, 4, name="quantised"), EDGE, TABLE).rows]
    assert names[:2] == ["quantised", "dense FP32"]
    wide = [each.name for each in compare(defended(plain, **NOISE), EDGE, TABLE).rows]
    assert wide[:2] == ["pni", "pni at INT8"]


def test_four_bits_and_two_of_four_cost_as_those_alternatives(plain: Network) -> None:
    int4 = compare(defended(plain, 4, name="quantised"), EDGE, TABLE)
    assert row(int4, "quantised").cost == row(int4, "dense INT4").cost
    assert row(int4, "quantised").area == row(int4, "dense INT4").area
    layer = plain.layers[0]
    nonzeros = layer.n * layer.d // 2
    sparse = compare(defended(plain, 8, name="two", nonzeros=nonzeros, n_of_m=(2, 4)), H100, TABLE)
    two, other = row(sparse, "two"), row(sparse, "2:4 weights INT8")
    assert other.cost is not None
    assert two.cost == other.cost
    assert two.area == other.area


def test_others_stand_beside_with_what_they_cost_alone(
    plain: Network, make_network: Any, layer_dict: Any
) -> None:
    injected = make_network(
        *(layer_dict({"selection": "topk"}, name=f"layer{i}") for i in range(3))
    )
    noisy = defended(plain, **NOISE)
    compared = compare(
        injected, EDGE, TABLE, beside={"noise": noisy, "ranked": defended(plain, **RANKED)}
    )
    names = [each.name for each in compared.rows]
    assert names[:6] == [
        AS_DESCRIBED,
        AT_INT8,
        "noise",
        "noise at INT8",
        "ranked",
        "ranked at INT8",
    ]
    alone = compare(noisy, EDGE, TABLE)
    for there, here in (("noise", "pni"), ("noise at INT8", "pni at INT8")):
        assert row(compared, there).cost == row(alone, here).cost
        assert row(compared, there).area == row(alone, here).area
    assert compared.own == (AS_DESCRIBED, AT_INT8)
    assert compared.reference == alone.reference


def test_other_layers_or_names_that_are_taken_are_refused(plain: Network) -> None:
    shorter = plain.model_copy(update={"layers": plain.layers[:2]})
    with pytest.raises(UserError, match="short: should have the same layers"):
        compare(plain, EDGE, TABLE, beside={"short": shorter})
    for name in ("dense INT8", "pni", "pni at INT8"):
        with pytest.raises(UserError, match=f"{name} is the name of another row"):
            compare(defended(plain, **NOISE), EDGE, TABLE, beside={name: plain})
