"""One screen, whatever the number of layers; large networks in seconds."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

import hwmodel
from hwmodel.__main__ import main
from hwmodel.network_summary import summary


def many(layer_dict: Any, network_json: Any, layers: int, shapes: int) -> dict[str, Any]:
    made = [layer_dict({}, name="", out_channels=16 + i) for i in range(shapes)]
    parts = [made[i % shapes] | {"name": f"layer{i}"} for i in range(layers)]
    data: dict[str, Any] = network_json(*parts)
    return data


def test_sums_are_those_of_the_tables(
    tmp_path: Path, layer_dict: Any, network_json: Any, capsys: Any
) -> None:
    (tmp_path / "layers.json").write_text(json.dumps(many(layer_dict, network_json, 9, 4)))
    network = hwmodel.load(tmp_path / "layers.json")
    presets = {name: hwmodel.load_preset(name) for name in ("a100", "server_cpu")}
    table = hwmodel.load_energy_table("horowitz_45nm")
    text = summary(network, presets, table, batch=3)
    words = text.replace(",", "").split()
    terms = hwmodel.count_operations(network)
    assert f"{sum(t.bitops for t in terms):.0f}" in words
    for preset in presets.values():
        total = hwmodel.latency(network, preset, 3)[-1]
        assert total.injected_s is not None
        assert f"{1e6 * total.injected_s:.2f}" in words
        for row in hwmodel.energy(network, table, preset, 3):
            if row.layer == "total":
                assert f"{100 * row.reduction:.2f}" in words
        for crossing in hwmodel.crossovers(network, preset, 3):
            if crossing.layer == "total":
                assert f"{crossing.speedup:.2f}x" in words
    for row in hwmodel.reductions(network):
        if row.layer == "total":
            assert f"{100 * row.reduction_with:.2f}" in words
    assert (
        main([str(tmp_path / "layers.json"), "--preset", "a100", "server_cpu", "--batch", "3"]) == 0
    )
    assert capsys.readouterr().out == text + "\n"


def test_two_hundred_layers_fit_on_a_screen(layer_dict: Any, network_json: Any) -> None:
    """And take less than 2 s, all of them alike or in 30 shapes; on a loaded machine too."""
    presets = {name: hwmodel.load_preset(name) for name in hwmodel.preset_names()}
    table = hwmodel.load_energy_table("horowitz_45nm")
    for shapes in (1, 30):
        text = json.dumps(many(layer_dict, network_json, 200, shapes)).encode()
        start = time.process_time()
        lines = summary(hwmodel.Network.parse(text, "test"), presets, table).splitlines()
        assert time.process_time() - start < 2
        assert len(lines) < 60


@pytest.mark.slow
def test_a_hundred_thousand_layers_take_seconds(
    tmp_path: Path, layer_dict: Any, network_json: Any
) -> None:
    text = json.dumps(many(layer_dict, network_json, 100_000, 30)).encode()
    start = time.process_time()
    network = hwmodel.Network.parse(text, "test")
    table = hwmodel.load_energy_table("horowitz_45nm")
    presets = {name: hwmodel.load_preset(name) for name in hwmodel.preset_names()}
    assert len(summary(network, presets, table).splitlines()) < 60
    assert time.process_time() - start < 20
