"""The committed tables of energy, and faulty ones."""

import tomllib
from pathlib import Path

import pytest

import hwmodel
from hwmodel.energy_table import EnergyTable, EnergyTableError
from hwmodel.preset_files import ENERGY_FOLDER
from hwmodel.sourced import read_table


@pytest.mark.parametrize("name", hwmodel.energy_table_names())
def test_every_constant_has_a_tag_and_a_source(name: str) -> None:
    data = tomllib.loads((ENERGY_FOLDER / f"{name}.toml").read_text())
    for constant in [value for key, value in data.items() if key != "description"]:
        assert constant["tag"] in ("measured", "data sheet", "assumed")
        assert len(constant["source"]) > 10
        assert constant["tag"] != "data sheet" or "seen" in constant


def test_unknown_and_faulty_tables(tmp_path: Path) -> None:
    with pytest.raises(EnergyTableError, match=r"^unknown energy table 'x'; known: horowitz_45nm$"):
        hwmodel.load_energy_table("x")
    text = (ENERGY_FOLDER / "horowitz_45nm.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace("[float_add_16_pj]", "[float_add_pj]"))
    with pytest.raises(EnergyTableError, match=r"^mine.toml: float_add_16_pj: is missing$"):
        read_table(tmp_path / "mine.toml", EnergyTable, EnergyTableError)
    with pytest.raises(EnergyTableError, match=r"none.toml: cannot be read: No such file"):
        read_table(tmp_path / "none.toml", EnergyTable, EnergyTableError)
