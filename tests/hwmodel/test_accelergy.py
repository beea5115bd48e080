"""Energies of an energy reference table, by the names of levels."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import hwmodel
from hwmodel.accelergy import with_accelergy
from hwmodel.errors import UserError


def component(name: str, **energies: float) -> dict[str, Any]:
    actions = [{"name": n, "arguments": {}, "energy": pj} for n, pj in energies.items()]
    return {"name": f"top.chip.{name}", "actions": actions}


TABLES = [
    component("DRAM[1..1]", read=512.0, write=256.0, leak=0.0),
    component("glb[1..4]", read=32.0, write=24.0, update=24.0),
    component("mac[1..64]", compute=0.5),
]


def ert(folder: Path, tables: Any) -> Path:
    path = folder / "ERT.yaml"
    path.write_text(yaml.safe_dump({"ERT": {"version": "0.4", "tables": tables}}))
    return path


def levelled(**changes: Any) -> hwmodel.EnergyTable:
    one = {"value": 1.0, "tag": "assumed", "source": "test"}
    level: dict[str, Any] = {"holds": ("inputs", "weights", "sums"), "read_pj_per_byte": one}
    level |= {"write_pj_per_byte": one, "word_bytes": one | {"value": 8.0}, **changes}
    data = hwmodel.load_energy_table("horowitz_45nm").model_dump()
    return hwmodel.EnergyTable.model_validate(data | {"levels": {"glb": level}})


def test_energies_of_accesses_become_those_of_bytes(tmp_path: Path) -> None:
    found = with_accelergy(levelled(), ert(tmp_path, TABLES), 8.0)
    glb = found.levels["glb"]
    assert (glb.read_pj_per_byte.value, glb.write_pj_per_byte.value) == (4, 3)
    assert (found.memory_pj_per_byte.value, found.memory_write_pj_per_byte.value) == (64, 32)
    assert found.integer_mac_8_pj.value == 0.5
    assert glb.holds == ("inputs", "weights", "sums")
    assert "ERT.yaml" in glb.read_pj_per_byte.source


def test_tables_without_levels_take_memory_and_multipliers(tmp_path: Path) -> None:
    table = hwmodel.load_energy_table("horowitz_45nm")
    found = with_accelergy(table, ert(tmp_path, [TABLES[0]]), 4.0)
    assert found.memory_pj_per_byte.value == 128
    assert found.integer_mac_8_pj is None
    assert found.buffer_pj_per_byte == table.buffer_pj_per_byte


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (TABLES[:1], r"ERT\.yaml: has no component glb; there are: DRAM"),
        ([TABLES[0], component("glb", read=1.0)], r"ERT\.yaml: glb: has no action write"),
        ([TABLES[0], component("glb", read=-1.0, write=1.0)], r"energy: should be greater"),
        ([], r"ERT\.tables: "),
    ],
)
def test_faulty_tables(tmp_path: Path, tables: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        with_accelergy(levelled(), ert(tmp_path, tables), 8.0)


def test_levels_need_the_width_of_an_access(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^energy table: levels\.glb\.word_bytes: is missing$"):
        with_accelergy(levelled(word_bytes=None), ert(tmp_path, TABLES), 8.0)
    (tmp_path / "other.yaml").write_text("a: 1")
    with pytest.raises(UserError, match=r"other\.yaml: ERT: is missing"):
        with_accelergy(levelled(), tmp_path / "other.yaml", 8.0)
