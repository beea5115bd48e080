"""Files of constants: bounds, and texts that are no tables."""

import re
from pathlib import Path

import pytest

import hwmodel
from hwmodel.preset_files import ENERGY_FOLDER, PRESET_FOLDER

CPU = (PRESET_FOLDER / "server_cpu.toml").read_text()
ENERGY = (ENERGY_FOLDER / "horowitz_45nm.toml").read_text()


def set_value(text: str, key: str, value: str) -> str:
    changed, count = re.subn(rf"(\[{key}\]\nvalue = )\S+", rf"\g<1>{value}", text)
    assert count == 1
    return changed


@pytest.mark.parametrize("value", ["1e308", "1e-308", "inf", "nan", "-1.0", "0.0", '"fast"'])
@pytest.mark.parametrize(
    "key",
    ["clock_hz", r"mac_per_cycle\.8", "elementwise_per_cycle", "bandwidth_bytes_per_s",
     "overhead_s", "utilisation_dense"],
)  # fmt: skip
def test_constants_of_a_preset_are_finite(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(set_value(CPU, key, value))
    with pytest.raises(hwmodel.PresetError) as caught:
        hwmodel.load_preset(str(path))
    assert str(caught.value).startswith(f"mine.toml: {key.replace(chr(92), '')}.value: should be")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "deep",
    [
        "x = " + 10**5 * "[" + 10**5 * "]",
        "x" + 10**5 * ".x" + " = 1",
        "x = " + 900 * "[" + 900 * "]",
    ],
)
def test_deep_nesting(tmp_path: Path, deep: str) -> None:
    path = tmp_path / "mine.toml"
    for text, load, refuse in (
        (CPU, hwmodel.load_preset, hwmodel.PresetError),
        (ENERGY, hwmodel.load_energy_table, hwmodel.EnergyTableError),
    ):
        path.write_text(f"{deep}\n{text}")
        with pytest.raises(refuse) as caught:
            load(str(path))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(set_value(ENERGY, "memory_pj_per_byte", "81.25"))
    assert hwmodel.load_energy_table(str(path)).memory_pj_per_byte.value == 81.25
    path.write_text(set_value(ENERGY, "memory_pj_per_byte", "1e308"))
    with pytest.raises(hwmodel.EnergyTableError, match=r"^mine.toml: memory_pj_per_byte.value: "):
        hwmodel.load_energy_table(str(path))
