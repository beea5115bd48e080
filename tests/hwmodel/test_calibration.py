"""Measured presets: what is computed from times, and that every kernel runs."""

import sys
from pathlib import Path
from typing import Any

import pytest

import hwmodel
from hwmodel import calibration, machine
from hwmodel.__main__ import main
from hwmodel.errors import UserError
from hwmodel.roofline import dense_phase

pytestmark = pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")


OVERHEAD = 2e-5
TRUE = {32: (5e10, 1e-10), 16: (1e11, 0.0), 8: (2e11, 3e-10)}
"""Multiply-accumulates per second, and seconds to finish an output."""


def once(run: Any) -> float:
    """Each operation runs, and is said to take a millisecond."""
    run()
    return 1e-3


@pytest.fixture
def fixed_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "seconds", once)
    monkeypatch.setattr(calibration, "seconds", once)


def as_modelled(layer: hwmodel.Layer, bits: int, batch: int) -> float:
    rate, finishing_s = TRUE[bits]
    return OVERHEAD + batch * layer.M * layer.n * (layer.d / rate + finishing_s)


def test_a_preset_from_times(
    fixed_times: None, monkeypatch: pytest.MonkeyPatch, make_layer: Any, tmp_path: Path, capsys: Any
) -> None:
    """From layers that take what the model says, its constants come back."""
    monkeypatch.setattr(calibration, "dense_seconds", as_modelled)
    file = tmp_path / "mine.toml"
    assert main(["calibrate", str(file)]) == 0
    preset = hwmodel.load_preset(str(file))
    for bits, (rate, finishing_s) in TRUE.items():
        assert preset.peak_macs_per_s[bits] == pytest.approx(rate, rel=1e-3)
        assert preset.finishing_s(bits) == pytest.approx(finishing_s, rel=0.01)
        share = 196 * 256 * 144 / rate + 196 * 256 * finishing_s
        layer = make_layer(None, out_channels=256)
        assert dense_phase(layer, preset, bits).compute_s == pytest.approx(share, rel=1e-3)
    assert preset.peak_elementwise_per_s == pytest.approx(8192 / 1e-3)
    assert preset.utilisation_irregular.value == 1
    assert preset.bandwidth_bytes_per_s.value == pytest.approx(2 * 64 * 2**20 / 1e-3, rel=1e-4)
    assert preset.overhead_s.value == pytest.approx(OVERHEAD, rel=1e-3)
    assert preset.mac_per_cycle["8"].tag == "measured"
    assert "bandwidth_bytes_per_s: " in capsys.readouterr().out


@pytest.mark.parametrize("bits", [32, 16, 8])
def test_every_kind_of_layer_runs(
    fixed_times: None, make_layer: Any, linear_layer: Any, bits: int
) -> None:
    for layer in (
        make_layer(None, groups=2, stride=[2, 1], dilation=[1, 2]),
        linear_layer(None, in_size=[1, 5]),
        linear_layer(None, kind="matmul", groups=2, in_size=[1, 5]),
    ):
        found = machine.dense_seconds(layer, bits, batch=2)
        assert found == (None if layer.kind == "matmul" and bits == 8 else 1e-3)


@pytest.mark.long
def test_time_is_the_thread_s_own_and_grows_with_work(make_layer: Any) -> None:
    small, large = make_layer(None, in_channels=4), make_layer(None, in_channels=64)
    times = [machine.dense_seconds(layer, 32, 8) for layer in (small, large)]
    assert 0 < times[0] < times[1]  # type: ignore[operator]


def test_without_torch_one_message(
    make_layer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match="measuring needs torch"):
        machine.dense_seconds(make_layer(), 32, 1)
    assert main(["calibrate", str(tmp_path / "mine.toml")]) == 2
    assert (
        capsys.readouterr().err == "hwmodel: measuring needs torch; install it, or use a preset\n"
    )


def test_a_preset_of_one_s_own(tmp_path: Path, make_network: Any, layer_dict: Any) -> None:
    with pytest.raises(hwmodel.PresetError, match=r"none\.toml: cannot be read"):
        hwmodel.load_preset(str(tmp_path / "none.toml"))
    (tmp_path / "mine.toml").write_text("clock_hz = 1")
    with pytest.raises(hwmodel.PresetError, match=r"mine.toml: description: is missing"):
        hwmodel.load_preset(str(tmp_path / "mine.toml"))
