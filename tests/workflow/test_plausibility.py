"""Presets are of the order of what was published of their hardware."""

from typing import Any

import pandas as pd
import pytest
from scripts import script_named

import hwmodel


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("plausibility")


def test_every_preset_is_within_two_of_what_was_published(script: Any) -> None:
    found = pd.read_csv(script.TABLE)
    assert len(found) == len(script.PUBLISHED)
    assert found["ratio"].between(0.5, 2).all()
    assert found["source"].str.len().min() > 20


@pytest.mark.parametrize("row", [2, 3])
def test_the_table_is_what_the_presets_give(script: Any, row: int) -> None:
    made = script.compared(script.PUBLISHED[row])
    kept = pd.read_csv(script.TABLE).iloc[row].to_dict()
    assert made == pytest.approx(kept)


def test_one_core_has_its_share(script: Any) -> None:
    preset = hwmodel.load_preset("edge_npu")
    alone = script.one_core(preset, 3)
    assert alone.mac_per_cycle["8"].value == preset.mac_per_cycle["8"].value / 3
    assert alone.bandwidth_bytes_per_s == preset.bandwidth_bytes_per_s
