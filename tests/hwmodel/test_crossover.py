"""Networks as if injected, and where the injection wins."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from injection_cases import with_method

import hwmodel
from hwmodel.__main__ import main
from hwmodel.crossover import (
    at_fraction,
    crossover_fraction,
    crossovers,
    plan,
    seconds,
    speedups,
)
from hwmodel.network_spec import Network


def test_crossover_by_hand(make_layer: Any, make_preset: Any) -> None:
    """Channels come in tiles of 4 of 32 and memory is free: what is left over for the exact part.

    Dense: 903,168 MACs at 100 a second. Projection: 784 x 4 x 16 MACs at 500, faster than 784 x 11
    additions at 10, and 12,544 + 1,568 roundings at 25; approximation: 112,896 MACs at 500;
    selection: 6,272 additions at 25. That leaves 0.87 of the layer: six of eight tiles.
    """
    shared = {"projection": "tap_shared", "k_c": 2, "nonzeros": 11, "selection": "channel"}
    preset = make_preset(bandwidth_bytes_per_s=1e15, overhead_s=1e-9)
    dense = 903_168 / 100
    overhead = 784 * 4 * 16 / 500 + (12_544 + 1_568) / 25 + 112_896 / 500 + 6_272 / 25
    found = crossover_fraction([make_layer(shared)], preset, dense)
    assert 6 / 8 < 1 - overhead / dense < 7 / 8
    assert found == pytest.approx(6 / 8, abs=1e-5)
    scattered = make_layer(shared | {"selection": "topk"})
    alone = make_preset(bandwidth_bytes_per_s=1e15, overhead_s=1e-9, tile_outputs=1)
    found = crossover_fraction([scattered], alone, dense)
    overhead += 784 * (2 - 4) * 16 / 500 + 18_816 / 10 - 6_272 / 25
    assert found == pytest.approx(1 - overhead / dense, abs=1e-5)


@given(share=st.floats(0, 1), tile=st.integers(1, 40))
def test_time_does_not_fall_with_the_share(
    make_layer: Any, make_preset: Any, share: float, tile: int
) -> None:
    preset, layer = make_preset(tile_outputs=tile), make_layer({})
    less, more = (
        seconds([at_fraction(layer, part)], preset) for part in (share, min(1, share + 0.05))
    )
    assert less is not None
    assert more is not None
    assert less <= more * (1 + 1e-12)


def test_a_crossover_separates_winning_from_losing(plain: Network) -> None:
    network = with_method(plain, "1xall")
    preset = hwmodel.load_preset("server_cpu")
    rows = crossovers(network, preset)
    assert [row.layer for row in rows] == ["inner"] * 3 + ["total"] * 3
    for row in rows:
        assert row.speedup is not None
        assert (row.speedup > 1) == (row.fraction is not None and row.fraction > 0.25 - 1e-5)
    assert len({row.speedup > 1 for row in rows if row.speedup}) == 2


def test_speedups_cross_one_at_the_crossover(plain: Network) -> None:
    network, preset = with_method(plain, "1xall"), hwmodel.load_preset("server_cpu")
    rows = speedups(network, preset)
    assert [row.fraction for row in rows[:21]] == [i / 20 for i in range(21)]
    crossing = {row.layer: row.fraction for row in crossovers(network, preset) if row.bits == 32}
    for row in rows:
        assert row.speedup is not None
        assert row.bits == 32
        share = crossing[row.layer]
        assert (row.speedup > 1) == (share is not None and row.fraction <= share), row
    assert speedups(plain, preset) == []


def test_masks_of_a_fixed_share_have_one_row(plain: Network) -> None:
    preset = hwmodel.load_preset("server_cpu")
    found = with_method(plain, "1:4")
    assert [(row.layer, row.fraction) for row in speedups(found, preset)] == [("inner", 0.25)]
    assert {row.fraction for row in crossovers(found, preset)} <= {None, 1.0}


def test_what_is_assumed_was_not_evaluated(plain: Network, capsys: Any, tmp_path: Path) -> None:
    assert not any(row.evaluated for row in hwmodel.reductions(with_method(plain)))
    table = hwmodel.load_energy_table("horowitz_45nm")
    preset = hwmodel.load_preset("server_cpu")
    assert not any(row.evaluated for row in hwmodel.energy(with_method(plain), table, preset))
    assert any(row.evaluated for row in hwmodel.reductions(plain))
    (tmp_path / "layers.json").write_text(plain.model_dump_json())
    assert main([str(tmp_path / "layers.json"), "--projection", "ternary"]) == 0
    assert "as if the method were injected: nothing" in capsys.readouterr().out.splitlines()[0]


def test_a_lacking_precision_is_unknown(plain: Network, make_preset: Any) -> None:
    rows = crossovers(with_method(plain), make_preset({"8": 100.0}))
    assert [row.speedup is None for row in rows[:3]] == [True, True, False]
    assert rows[0].fraction is None
    shares = speedups(with_method(plain), make_preset({"8": 100.0}))
    assert {row.speedup for row in shares} == {None}


def test_a_plan_leaves_losing_layers_dense(plain: Network, make_preset: Any) -> None:
    """A scattered quarter runs 99 % of the tiles of 16 outputs."""
    preset = make_preset(tile_outputs=16, bandwidth_bytes_per_s=1e15, overhead_s=1e-9)
    element, channel = with_method(plain), with_method(plain, "1xall")
    assert plan(element, preset).layers == plain.layers
    assert plan(channel, preset) == channel
    eight = {"exact_bits": 8, "projection": "real"}
    cannot = with_method(plain, "1xall", **eight)  # a P of 32 bits, where 8 are multiplied
    assert all(layer.injection is None for layer in plan(cannot, make_preset({"8": 1.0})).layers)


def test_command_line(plain: Network, tmp_path: Path, capsys: Any) -> None:
    file, out = tmp_path / "layers.json", tmp_path / "plan.json"
    file.write_text(plain.model_dump_json())
    words = [str(file), "--projection", "ternary:shared", "--fraction", "0.25"]
    words += ["--granularity", "16x8"]
    table = tmp_path / "crossover.csv"
    assert main([*words, "--preset", "server_cpu", "--crossover", str(table)]) == 0
    assert table.read_text().startswith(
        "layer,preset,batch,bits,dense_s,injected_s,speedup,fraction\ninner,server_cpu,1,32,"
    )
    assert "faster up to a share of" in capsys.readouterr().out
    pairs = [str(file), "--projection", "ternary", "--granularity", "1:4"]
    assert main([*pairs, "--preset", "server_cpu", "--layers"]) == 0
    assert " 0.25 " in capsys.readouterr().out
    assert main([*pairs, "--fraction", "0.5"]) == 2
    assert "the granularity 1:4 has the fraction 0.25, not 0.5" in capsys.readouterr().err
    assert main([*words, "--preset", "server_cpu", "--plan", str(out)]) == 0
    expected = plan(with_method(plain, "16x8"), hwmodel.load_preset("server_cpu"))
    assert hwmodel.load(out) == expected
    capsys.readouterr()
    assert main([*words, "--plan", str(out)]) == 2
    assert "a plan is for one platform: give one --preset" in capsys.readouterr().err
    assert main([str(file), "--fraction", "0.25", "--bits", "4"]) == 2
    assert "--fraction, --bits: needs --projection" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*words, "--bits", "9"])
    assert "invalid choice: 9" in capsys.readouterr().err
