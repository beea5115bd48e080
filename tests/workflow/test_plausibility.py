"""Presets are of the order of what was published of their hardware."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripts import script_named

import hwmodel


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("plausibility")


FURTHER_OFF = {("server_cpu", "mobilenet_v2", 32)}
"""Modelled too fast, nobody measured why; its depthwise layers are the suspects."""


def test_presets_are_within_two_of_what_was_published_but_where_it_is_said(script: Any) -> None:
    found = pd.read_csv(script.TABLE)
    assert len(found) == len(script.PUBLISHED)
    outside = found[~found["ratio"].between(0.5, 2)]
    assert {
        *outside[["preset", "network", "bits"]].itertuples(index=False, name=None)
    } == FURTHER_OFF
    text = (Path(script.__file__).parents[2] / "docs" / "cost.md").read_text()
    assert f"{len(found) - len(outside)} of\n{len(found)} rows are" in text
    assert found["source"].str.len().min() > 20


@pytest.mark.parametrize("row", [7, 8, 10, 17])
def test_the_table_is_what_the_presets_give(script: Any, row: int) -> None:
    made = script.compared(script.PUBLISHED[row])
    kept = pd.read_csv(script.TABLE).iloc[row].to_dict()
    assert made == pytest.approx(kept)


def test_one_core_has_its_share(script: Any) -> None:
    preset = hwmodel.load_preset("edge_npu")
    alone = script.one_core(preset, 3)
    assert alone.mac_per_cycle["8"].value == preset.mac_per_cycle["8"].value / 3
    assert alone.bandwidth_bytes_per_s == preset.bandwidth_bytes_per_s
