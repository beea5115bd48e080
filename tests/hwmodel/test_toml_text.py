"""What is written is read back the same."""

from pathlib import Path

import pytest

import hwmodel
from hwmodel.energy_table import EnergyTable
from hwmodel.preset import Preset
from hwmodel.toml_text import toml_text

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", [*hwmodel.preset_names(), DATA / "zigzag_tpu_like.preset.toml"])
def test_presets(name: str | Path, tmp_path: Path) -> None:
    preset = hwmodel.load_preset(str(name))
    (tmp_path / "a.toml").write_text(toml_text(preset), encoding="utf-8")
    assert hwmodel.load_preset(str(tmp_path / "a.toml")) == preset
    assert isinstance(preset, Preset)


@pytest.mark.parametrize("name", ["horowitz_45nm", DATA / "zigzag_edge_tpu_like.energy.toml"])
def test_energy_tables(name: str | Path, tmp_path: Path) -> None:
    table = hwmodel.load_energy_table(str(name))
    (tmp_path / "a.toml").write_text(toml_text(table), encoding="utf-8")
    assert hwmodel.load_energy_table(str(tmp_path / "a.toml")) == table
    assert isinstance(table, EnergyTable)


def test_names_and_texts_that_need_quotes(tmp_path: Path) -> None:
    table = hwmodel.load_energy_table(str(DATA / "zigzag_tpu_like.energy.toml"))
    odd = {'a.b "c" \u00e9': (table.levels or {})["sram_2MB"]}
    changed = table.model_copy(update={"levels": odd, "description": 'x\n"y"'})
    (tmp_path / "a.toml").write_text(toml_text(changed), encoding="utf-8")
    assert hwmodel.load_energy_table(str(tmp_path / "a.toml")) == changed
