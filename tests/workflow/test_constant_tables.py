"""docs/constants.md lists every constant of every preset and energy table."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from scripts import script_named

import hwmodel

HWMODEL = Path(hwmodel.__file__).parent
FILES = sorted(p.relative_to(HWMODEL).as_posix() for p in HWMODEL.glob("*/*.toml"))


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("_constant_tables")


def sourced(table: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Every table of a file that has a source, by its key."""
    found = {}
    for key, value in table.items():
        here = f"{path}.{key}".lstrip(".")
        if isinstance(value, dict):
            found |= {here: value} if "source" in value else sourced(value, here)
    return found


@pytest.mark.parametrize("file", FILES)
def test_every_constant_of_a_file_is_listed_as_it_stands_there(file: str, script: Any) -> None:
    written = sourced(tomllib.loads((HWMODEL / file).read_text()))
    rows = {
        r["constant"].strip("`"): r for r in script.listed(script.files()[file]).to_dict("records")
    }
    assert set(rows) == set(written)
    for key, constant in written.items():
        assert rows[key]["tag"] == constant["tag"]
        assert rows[key]["source"] == constant["source"]
        bare = "" if constant["tag"] in ("chosen", "measured") else "no"
        assert rows[key]["read"] == constant.get("seen", bare)
        assert ("to" in rows[key]["range"].split()) == ("low" in constant)
        if isinstance(constant["value"], float):
            assert float(rows[key]["value"]) == pytest.approx(constant["value"], rel=1e-7)


def test_all_files_are_told(script: Any) -> None:
    assert sorted(script.files()) == FILES


def test_constants_are_counted_by_tag_and_by_what_was_read(script: Any) -> None:
    core = sourced(tomllib.loads((HWMODEL / "presets/deployed_core.toml").read_text())).values()
    fitted = [c for c in core if c["tag"] == "measured"]
    counts = script.counted(script.files()).set_index("file")
    cpu = counts.loc["`presets/server_cpu.toml`"]
    written = sourced(tomllib.loads((HWMODEL / "presets/server_cpu.toml").read_text())).values()
    assert cpu["constants"] == len(written)
    assert cpu["assumed"] == sum(c["tag"] == "assumed" for c in written)
    assert cpu["document read"] == sum(c.get("seen") == "document" for c in written)
    tags = ["measured", "data sheet", "assumed", "chosen"]
    assert (counts[tags].sum(axis=1) == counts["constants"]).all()
    assert counts.loc["`presets/deployed_core.toml`", "measured"] == len(fitted)
    read = counts[["document read", "a quotation of it", "neither"]].sum(axis=1)
    assert (read >= counts["data sheet"] + counts["assumed"]).all()


def test_what_else_a_constant_may_be_is_told(script: Any) -> None:
    rows = script.listed(hwmodel.load_preset("server_cpu")).set_index("constant")
    assert rows.loc["`skips_zeros`", ["value", "range"]].tolist() == ["yes", "or no"]
    assert rows.loc["`schedule`", ["value", "range"]].tolist() == [
        "serial",
        "or fused or overlapped",
    ]
