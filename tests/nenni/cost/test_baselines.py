"""What each baseline adds to its layers, counted by hand, as the cost model reads it."""

import json
from typing import Any

import pytest
import torch
from torch import nn

import hwmodel
import nenni
from nenni.core.seeding import seeded
from nenni.method.baseline import Baseline
from nenni.method.defend import defend, set_noise

X = torch.rand(6, 4, 6, 6, generator=torch.Generator().manual_seed(0))
M, N, D, FLAT, OUT = 36, 8, 36, 288, 10
"""Of a 3x3 convolution of 4 channels, and of a linear layer behind it."""


def network() -> nn.Sequential:
    with seeded(0):
        return nn.Sequential(
            nn.Conv2d(4, N, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(FLAT, OUT)
        ).eval()  # fmt: skip


NOTHING = {"draws": 0, "macs": 0, "additions": 0, "comparisons": 0, "ranked": 0, "stored": 0}
CASES: dict[str, tuple[Baseline, dict[str, Any], dict[str, Any] | None]] = {
    "pni": (
        nenni.PNI(),
        {"draws": N * D, "macs": N * D, "stored": 1},
        {"draws": FLAT * OUT, "macs": FLAT * OUT, "stored": 1},
    ),
    "pni elements of inputs": (
        nenni.PNI("element", where="inputs"),
        {"draws": 144, "macs": 2 * 144, "additions": 144, "stored": 144},
        {"draws": FLAT, "macs": 2 * FLAT, "additions": FLAT, "stored": FLAT},
    ),
    "pni channels of activations": (
        nenni.PNI("channel", where="activations"),
        {"draws": M * N, "macs": 2 * M * N, "additions": M * N, "stored": N},
        None,
    ),
    "learn2perturb": (
        nenni.Learn2Perturb(),
        {"draws": M * N, "macs": M * N, "stored": M * N},
        None,
    ),
    "random projection filters": (
        nenni.RandomProjectionFilters(0.5),
        {"draws": N * D // 2, "macs": N * D // 2},
        None,
    ),
    "gaussian": (
        nenni.GaussianActivations(),
        {"draws": M * N, "macs": M * N, "stored": 1},
        None,
    ),
    "k-wta": (nenni.KWTA(0.2), {"ranked": M * N}, None),
    "dropout": (
        nenni.RandomDropout(0.3),
        {"draws": M * N, "comparisons": M * N, "macs": M * N},
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operations_by_hand(name: str) -> None:
    baseline, *expected = CASES[name]
    layers = nenni.describe(defend(network(), baseline, X), X)["layers"]
    for layer, counts in zip(layers, expected, strict=True):
        if counts is None:
            assert layer["defence"] is None
            continue
        found = {key: layer["defence"][key] for key in NOTHING}
        assert found == NOTHING | counts
    assert [layer["injection"] for layer in layers] == [None, None]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[0].randomised])
def test_without_its_noise_nothing_is_added(name: str) -> None:
    defended = defend(network(), CASES[name][0], X)
    set_noise(defended, on=False)
    for layer in nenni.describe(defended, X)["layers"]:
        found = layer["defence"] or NOTHING
        assert {key: found[key] for key in NOTHING} == NOTHING


@pytest.mark.parametrize("name", CASES)
def test_it_is_in_every_table(name: str) -> None:
    """BitOPs, time and energy of a layer with it, against the plain one."""
    defended = nenni.describe(defend(network(), CASES[name][0], X), X)
    network_ = hwmodel.Network.model_validate_json(json.dumps(defended))
    preset, table = hwmodel.load_preset("server_cpu"), hwmodel.load_energy_table("horowitz_45nm")
    terms = [t for t in hwmodel.count_operations(network_) if t.term == "defence"]
    assert sum(term.bitops for term in terms) > 0
    total = hwmodel.latency(network_, preset)[-1]
    assert total.injected_s > total.dense_fp32_s  # type: ignore[operator]
    energy = next(r for r in hwmodel.energy(network_, table, preset) if r.layer == "total")
    assert energy.injected.total_pj > energy.dense.total_pj


@pytest.mark.parametrize("bits", [8, 4])
def test_few_bits_are_those_of_the_products(bits: int) -> None:
    described = nenni.describe(defend(network(), nenni.Quantised(bits), X), X)  # type: ignore[arg-type]
    assert [layer["exact_bits"] for layer in described["layers"]] == [bits, bits]
    network_ = hwmodel.Network.model_validate_json(json.dumps(described))
    bitops = [(t.term, t.bitops) for t in hwmodel.count_operations(network_)]
    assert bitops == [
        ("exact", M * N * D * bits**2), ("defence", 0), ("exact", FLAT * OUT * bits**2), ("defence", 0)
    ]  # fmt: skip
    reduction = next(
        r for r in hwmodel.reductions(network_)
        if (r.layer, r.baseline, r.variant) == ("total", "fp32", "as_evaluated")
    )  # fmt: skip
    assert reduction.evaluated
    assert reduction.reduction_with == pytest.approx(1 - bits * bits / 1024)


def test_two_of_four_halves_the_products() -> None:
    described = nenni.describe(defend(network(), nenni.TwoOfFour(), X), X)
    assert [layer["defence"]["nonzeros"] for layer in described["layers"]] == [
        N * D // 2,
        FLAT * OUT // 2,
    ]
    assert {tuple(layer["defence"]["n_of_m"]) for layer in described["layers"]} == {(2, 4)}
    network_ = hwmodel.Network.model_validate_json(json.dumps(described))
    exact = [t.macs for t in hwmodel.count_operations(network_) if t.term == "exact"]
    assert exact == [M * N * D / 2, FLAT * OUT / 2]
    h100, server = (hwmodel.load_preset(name) for name in ("h100", "server_cpu"))
    for preset, faster in ((h100, True), (server, False)):
        total = hwmodel.latency(network_, preset)[-1]
        dense = total.dense_fp32_s or total.dense_fp16_s
        assert (total.injected_s < dense) == faster  # type: ignore[operator]


@pytest.mark.parametrize("name", CASES)
def test_fvcore_finds_the_products_of_the_plain_network(name: str) -> None:
    """It leaves out what works element by element."""
    expected = M * N * D + FLAT * OUT
    assert nenni.flop_count(defend(network(), CASES[name][0], X), X[:1]).total() == expected


def test_what_stands_behind_one_product_adds_up() -> None:
    """And what stands before the first counts there."""
    relus = [nn.ReLU() for _ in range(3)]
    model = nn.Sequential(relus[0], nn.Linear(4, 6), relus[1], relus[2], nn.Linear(6, 2)).eval()
    x = torch.rand(2, 4)
    first, last = nenni.describe(defend(model, nenni.KWTA(0.5), x), x)["layers"]
    assert first["defence"]["ranked"] == 4 + 6 + 6
    assert last["defence"] is None


def test_a_layer_that_runs_twice_adds_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.layer(self.layer(x))
            return y

    x = torch.rand(2, 4)
    layers = nenni.describe(defend(Twice().eval(), nenni.PNI(), x), x)["layers"]
    assert [layer["name"] for layer in layers] == ["layer", "layer#2"]
    assert [layer["defence"]["draws"] for layer in layers] == [16, 16]


def test_a_plain_network_has_none() -> None:
    assert {layer["defence"] is None for layer in nenni.describe(network(), X)["layers"]} == {True}
