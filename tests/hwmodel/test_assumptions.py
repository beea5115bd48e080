"""Constants with a range: found where they stand, and changed nowhere else."""

from typing import Any

import pytest

import hwmodel
from hwmodel.assumptions import Assumption, assuming, assumptions
from hwmodel.preset import Schedule
from hwmodel.sourced import Flag, Ranged
from hwmodel.validation import StrictModel

TABLE = hwmodel.load_energy_table("horowitz_45nm")


def constants(model: StrictModel, path: str = "") -> dict[str, Any]:
    """All that is sourced in a table, by its path."""
    found = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        for key, part in (value if isinstance(value, dict) else {"": value}).items():
            here = ".".join(filter(None, (path, name, key)))
            if hasattr(part, "tag"):
                found[here] = part
            elif isinstance(part, StrictModel):
                found |= constants(part, here)
    return found


@pytest.mark.parametrize("name", hwmodel.preset_names())
def test_every_assumed_constant_of_a_preset_has_a_range(name: str) -> None:
    preset = hwmodel.load_preset(name)
    for key, constant in constants(preset).items():
        if constant.tag != "assumed":
            continue
        if isinstance(constant, Flag):
            assert constant.unsure, key
        if isinstance(constant, Schedule):
            assert set(constant.others) | {constant.value} == {"serial", "fused", "overlapped"}
        if isinstance(constant, Ranged):
            assert constant.low is not None, key
            assert constant.low < constant.high, key
    named = {a.name for a in assumptions(preset, TABLE)}
    assert {"overhead_s", "utilisation_irregular", "memory_pj_per_byte"} <= named


def test_ends_are_what_else_a_constant_may_be(make_preset: Any) -> None:
    preset = make_preset()
    changed = preset.model_copy(
        update={
            "overhead_s": preset.overhead_s.model_copy(update={"low": 0.25, "high": 1.0}),
            "mac_per_cycle": preset.mac_per_cycle
            | {"8": preset.mac_per_cycle["8"].model_copy(update={"low": 50.0, "high": 200.0})},
            "skips_zeros": Flag(value=True, unsure=True, tag="assumed", source="test"),
        }
    )
    found = {a.name: a for a in assumptions(changed, TABLE) if a.of == "preset"}
    assert found == {
        "overhead_s": Assumption("preset", ("overhead_s",), 0.25, (1.0,)),
        "mac_per_cycle.8": Assumption("preset", ("mac_per_cycle", "8"), 100.0, (50.0, 200.0)),
        "skips_zeros": Assumption("preset", ("skips_zeros",), True, (False,)),
    }
    assert [a for a in assumptions(preset, TABLE) if a.of == "preset"] == []


@pytest.mark.parametrize("name", hwmodel.preset_names())
def test_a_change_changes_one_constant(name: str) -> None:
    preset = hwmodel.load_preset(name)
    for assumption in assumptions(preset, TABLE):
        for end in assumption.ends:
            there = assuming(preset, TABLE, {assumption: end})
            for before, after in zip((preset, TABLE), there, strict=True):
                old, new = constants(before), constants(after)
                other = [key for key in old if old[key] != new[key]]
                here = before is (preset if assumption.of == "preset" else TABLE)
                assert other == ([assumption.name] if here else [])
            of = dict(zip(("preset", "energy"), map(constants, there), strict=True))
            assert of[assumption.of][assumption.name].value == end


def test_constants_of_levels_are_changed_where_they_stand() -> None:
    constant = {"value": 2.0, "low": 1.0, "high": 4.0, "tag": "assumed", "source": "test"}
    level = {"holds": ("inputs",), "read_pj_per_byte": constant, "write_pj_per_byte": constant}
    data = TABLE.model_dump() | {"levels": {"sram": level, "register": level}}
    table = type(TABLE).model_validate(data)
    preset = hwmodel.load_preset("edge_npu")
    found = {a.name: a for a in assumptions(preset, table)}
    chosen = found["levels.sram.read_pj_per_byte"]
    assert chosen.ends == (1.0, 4.0)
    _, changed = assuming(preset, table, {chosen: 4.0})
    assert changed.levels["sram"].read_pj_per_byte.value == 4
    assert changed.levels["sram"].write_pj_per_byte.value == 2
    assert changed.levels["register"] == table.levels["register"]
