"""The page on the saving holds what its config gives."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from scripts import script_named

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("saving")


@pytest.fixture(scope="module")
def found(script: Any) -> pd.DataFrame:
    table: pd.DataFrame = script.count(yaml.safe_load(script.CONFIG.read_text()))
    return table


@pytest.fixture(scope="module")
def energies(script: Any) -> pd.DataFrame:
    table: pd.DataFrame = script.energy_saved(yaml.safe_load(script.CONFIG.read_text()))
    return table


@pytest.fixture(scope="module")
def judged(script: Any) -> pd.DataFrame:
    table: pd.DataFrame = pd.read_csv(script.VERDICT_TABLE)
    return table


@pytest.mark.long
def test_the_verdicts_are_those_of_the_config(script: Any, judged: pd.DataFrame) -> None:
    """Of the smaller network, on one platform, whose rows are made again."""
    config = yaml.safe_load(script.CONFIG.read_text())
    name, model = next(iter(config["networks"].items()))
    config["networks"] = {name: model}
    config["verdict"]["presets"] = {"edge_npu": config["verdict"]["presets"]["edge_npu"]}
    found = script.verdicts_of(config)
    here = judged[(judged["network"] == name) & (judged["preset"] == "edge_npu")]
    expected = here.reset_index(drop=True)
    pd.testing.assert_frame_equal(
        found.replace("", None), expected.replace("", None), check_dtype=False, rtol=1e-6
    )


def test_table_and_page_are_those_of_the_config(
    script: Any, found: pd.DataFrame, energies: pd.DataFrame, judged: pd.DataFrame
) -> None:
    tables = {script.TABLE: found, script.ENERGY_TABLE: energies}
    for file, table in tables.items():
        pd.testing.assert_frame_equal(pd.read_csv(file), table, check_dtype=False, rtol=1e-6)
    page = script.PAGE.read_text()
    assert script.filled(page, found, energies, judged) == page
    assert page.count("| INT8 | 50% |") == 6


def test_a_page_with_other_numbers_would_differ(
    script: Any, found: pd.DataFrame, energies: pd.DataFrame, judged: pd.DataFrame
) -> None:
    page = script.PAGE.read_text()
    changed = found.assign(with_overheads=found["with_overheads"] / 2)
    assert script.filled(page, changed, energies, judged) != page
    less = energies.assign(energy_saved=energies["energy_saved"] / 2)
    assert script.filled(page, found, less, judged) != page
    slower = judged.assign(speedup_value=judged["speedup_value"] / 2)
    other = script.filled(page, found, energies, slower)
    parts = [page.split("<!-- schedules -->"), other.split("<!-- schedules -->")]
    assert all(before != after for before, after in zip(*parts, strict=True))


def test_ranges_hold_and_more_overlap_is_never_slower(judged: pd.DataFrame) -> None:
    known = judged.dropna(subset=["speedup_value"])
    for name in ("speedup", "saved"):
        assert (known[f"{name}_low"] <= known[f"{name}_value"]).all()
        assert (known[f"{name}_value"] <= known[f"{name}_high"]).all()
    method = known[known["way"].str.startswith("this method")]
    by = method.pivot(
        index=["network", "preset", "way"], columns="schedule", values="speedup_value"
    )
    assert (by["serial"] <= by["fused"] * (1 + 1e-9)).all()
    assert (by["fused"] <= by["overlapped"] * (1 + 1e-9)).all()
    assert len(by) == 2 * 4 * 3


def test_precision_and_skipping_are_the_whole(found: pd.DataFrame) -> None:
    """With all neurons exact and no overheads nothing but the precision would be left."""
    here = found[(found["network"] == "ResNet-18") & (found["projection"] == "ternary:shared")]
    here = here[here["metric"] == "product"]
    for (_, bits), group in here.groupby(["baseline", "exact_bits"]):
        assert group["without_overheads"].is_monotonic_decreasing, bits
        assert (group["with_overheads"] <= group["without_overheads"]).all()
        slope = group.set_index("fraction")["without_overheads"]
        at_all = slope[0.75] + (slope[0.75] - slope[0.5])
        precision = group["by_precision"].iloc[0]
        approximation = (1 - slope[0]) / (1 - precision)
        assert at_all == pytest.approx(
            precision - approximation * (1 - precision), abs=0.02 * (1 - precision)
        )


def test_what_the_page_says_is_in_its_tables(script: Any) -> None:
    """Each share with a decimal in the prose, but for the two that the paper claims."""
    lines = script.PAGE.read_text().splitlines()
    cells = {
        cell.strip().removesuffix(" %") for x in lines if x[:1] == "|" for cell in x.split("|")
    }
    prose = " ".join(line for line in lines if line[:1] != "|")
    said = set(re.findall(r"-?\d+\.\d+(?= (?:%|and))", prose)) - {"82.6", "91.6"}
    assert said >= {"93.8", "96.7", "85.7"}
    assert said <= cells
