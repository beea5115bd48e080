"""A sweep gives the sums of what the library gives one by one."""

import itertools
import time
from typing import Any

import pytest

import hwmodel
from hwmodel.crossover import dense_seconds
from hwmodel.errors import UserError
from hwmodel.network_spec import Network
from hwmodel.sweeping import Setting, sweep

TABLE = hwmodel.load_energy_table("horowitz_45nm")
PRESETS = {name: hwmodel.load_preset(name) for name in hwmodel.preset_names()}


def scheduled(preset: hwmodel.Preset, order: str, buffer_bytes: float) -> hwmodel.Preset:
    """A preset with another order of the phases, and a buffer of which hangs what stays."""
    sourced = {"tag": "assumed", "source": "test"}
    changes = {
        "schedule": sourced | {"value": order},
        "buffer_bytes": sourced | {"value": buffer_bytes},
    }
    return hwmodel.Preset.model_validate(preset.model_dump() | changes)


@pytest.mark.parametrize(
    "presets",
    [
        PRESETS,
        *(
            {
                name: scheduled(PRESETS[name], order, size)
                for name in ("systolic_32x32", "server_cpu")
            }
            for order, size in (("fused", 3e3), ("fused", 2e4), ("overlapped", 1e5))
        ),
    ],
    ids=["as shipped", "fused, small", "fused", "overlapped"],
)
def test_a_sweep_is_latency_and_energy_of_injected(
    plain: Network, presets: dict[str, hwmodel.Preset]
) -> None:
    settings = [
        Setting(preset, projection, ratio, fraction, granularity, bits=bits, exact_bits=8,
                batch=batch)
        for preset in presets for projection in ("ternary", "real:shared") for ratio in (0.1, 0.5)
        for granularity in ("1x1", "16x8", "1xall", "2:4")
        for fraction in ((0.5,) if granularity == "2:4" else (0.0, 0.3, 1.0))
        for bits in (4, 8) for batch in (1, 3)
    ]  # fmt: skip
    found = list(sweep(plain, settings, presets, TABLE))
    assert [one.setting for one in found] == settings
    for one in found[::7]:
        of = one.setting
        network = hwmodel.injected(
            plain, projection=of.projection, ratio=of.ratio, fraction=of.fraction,
            granularity=hwmodel.read_granularity(of.granularity), bits=of.bits, exact_bits=8,
        )  # fmt: skip
        latency = hwmodel.latency(network, presets[of.preset], of.batch)[-1]
        assert one.injected.seconds == pytest.approx(latency.injected_s)
        assert one.dense.seconds == pytest.approx(latency.dense_int8_s)
        energies = hwmodel.energy(network, TABLE, presets[of.preset], of.batch)
        totals = [r for r in energies if r.layer == "total" and r.bits == 8]
        if one.injected.pj is None:
            assert totals == []
            assert one.speedup is one.energy_saved is None
            continue
        (total,) = totals
        assert one.injected.pj == pytest.approx(total.injected.total_pj)
        assert one.energy_saved == pytest.approx(total.reduction)


def test_bits_of_the_file_by_default(plain: Network) -> None:
    preset = PRESETS["server_cpu"]
    (found,) = sweep(plain, [Setting("server_cpu")], PRESETS, TABLE)
    assert found.dense.seconds == pytest.approx(dense_seconds(plain.layers, preset))
    (lacking,) = sweep(plain, [Setting("systolic_32x32")], PRESETS, TABLE)
    assert (lacking.dense.seconds, lacking.injected.pj, lacking.speedup) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"fraction": 1.5}, "fraction should be"), ({"ratio": 0}, "ratio should be"),
     ({"granularity": "2:4", "fraction": 0.25}, "has the fraction 0.5"),
     ({"granularity": "x"}, "should be channels x positions")],
)  # fmt: skip
def test_settings_that_are_none(plain: Network, changes: Any, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        list(sweep(plain, [Setting("server_cpu", **changes)], PRESETS, TABLE))


def test_ten_thousand_settings_take_seconds(make_network: Any, layer_dict: Any) -> None:
    """Of a network of 200 layers in 20 shapes; a bound that a loaded machine keeps too."""
    network = make_network(
        *(
            layer_dict(None, name=f"l{i}", in_channels=16 + 16 * (i % 20), out_channels=64)
            for i in range(200)
        )
    )
    grid = itertools.product(("edge_npu", "systolic_128x64"), range(50), range(1, 11), (1, 16))
    settings = [
        Setting(preset, ratio=k / 40, fraction=f / 50, granularity=granularity, exact_bits=8,
                batch=batch)
        for granularity in ("1x1", "16x8", "1xall", "allx1", "4x4")
        for preset, f, k, batch in grid
    ]  # fmt: skip
    settings = (settings * 6)[:10_000]
    start = time.process_time()
    assert len(list(sweep(network, settings, PRESETS, TABLE))) == 10_000
    assert time.process_time() - start < 10
