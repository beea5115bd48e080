import tomllib
from pathlib import Path
from typing import Any

import pytest

import hwmodel
from hwmodel.preset import PresetError, read_preset
from hwmodel.preset_files import PRESET_FOLDER


def test_names() -> None:
    assert hwmodel.preset_names() == (
        "a100", "deployed_core", "edge_npu", "h100", "server_cpu", "skipping_elements", "systolic_128x64",
        "systolic_32x32",
    )  # fmt: skip


@pytest.mark.parametrize("name", hwmodel.preset_names())
def test_every_constant_has_a_tag_and_a_source(name: str) -> None:
    data = tomllib.loads((PRESET_FOLDER / f"{name}.toml").read_text())
    macs, outputs = data.pop("mac_per_cycle"), data.pop("outputs_per_cycle", {})
    data.pop("description")
    array = data.pop("array", {})
    tables = (data, macs, outputs, array, data.pop("elements", {}))
    for constant in (constant for table in tables for constant in table.values()):
        assert constant["tag"] in ("measured", "data sheet", "assumed", "chosen")
        assert len(constant["source"]) > 10
        assert constant["tag"] != "data sheet" or "seen" in constant
        assert "\n" not in constant["source"]


def test_server_cpu() -> None:
    preset = hwmodel.load_preset("server_cpu")
    assert preset.peak_macs_per_s == {32: 6.4e10, 16: 6.4e10, 8: 2.56e11}
    assert [preset.run_bits(bits) for bits in (2, 4, 8, 16, 32)] == [8, 8, 8, 16, 32]
    assert preset.peak_elementwise_per_s == 6.4e10


def test_edge_npu() -> None:
    preset = hwmodel.load_preset("edge_npu")
    assert 2 * preset.peak_macs_per_s[8] == pytest.approx(6e12, rel=0.03)
    assert [preset.run_bits(bits) for bits in (2, 4, 5, 8, 16, 32)] == [4, 4, 8, 8, 16, 32]


def test_gpus() -> None:
    """TFLOPS and TOPS of the white papers, two operations a multiply-accumulate."""
    a100, h100 = (hwmodel.load_preset(name).peak_macs_per_s for name in ("a100", "h100"))
    for bits, rate in ((32, 19.5e12), (16, 312e12), (8, 624e12), (4, 1248e12)):
        assert 2 * a100[bits] == pytest.approx(rate, rel=0.001)
    for bits, rate in ((16, 989.4e12), (8, 1978.9e12)):
        assert 2 * h100[bits] == pytest.approx(rate, rel=0.001)
    assert 4 not in h100


def test_width_beyond_the_hardware(make_preset: Any) -> None:
    assert make_preset({"8": 1.0}).run_bits(16) is None
    assert make_preset({"8": 1.0}).run_bits(8) == 8


def test_tiles_may_be_single_outputs(make_preset: Any) -> None:
    assert make_preset(tile_outputs=1).tile_outputs.value == 1


def test_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(
        PresetError,
        match=r"^unknown preset 'gpu'; known: a100, deployed_core, edge_npu, h100, server_cpu",
    ):
        hwmodel.load_preset("gpu")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[clock_hz]", "[clock]", "clock_hz: is missing"),
        ('tag = "assumed"', 'tag = "guess"', "mac_per_cycle.16.tag: should be 'measured'"),
        ('seen = "document"', 'seen = "maybe"', "clock_hz.seen: should be 'document'"),
        (
            "value = 32\n",
            "value = 0\n",
            "mac_per_cycle.32.value: should be greater than or equal to 0.0",
        ),
        ("value = 0.6", "value = 1.6", "utilisation_dense.value: should be less than or equal"),
        ("[mac_per_cycle.16]", "[mac_per_cycle.12]", "mac_per_cycle.12"),
        ("[clock_hz]", "[clock_hz", "is not TOML: "),
        ("description", "describe", "description: is missing"),
    ],
)
def test_bad_preset_names_file_and_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = (PRESET_FOLDER / "server_cpu.toml").read_text()
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(PresetError) as caught:
        read_preset(path)
    assert str(caught.value).startswith(f"mine.toml: {expected}")
    assert "\n" not in str(caught.value)
