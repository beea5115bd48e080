"""Times that the model itself makes are predicted without error, and its constants found again."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scripts import script_named

import hwmodel

CONSTANTS = Path(__file__).parents[2] / "results" / "reference" / "deployment_constants.csv"
FRACTIONS = (0.5, 0.25)
TRUE = np.array([100.0, 2.0, 20.0, 5e-6])


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("deployment_predicted")


@pytest.fixture(scope="module")
def made(script: Any) -> tuple[pd.DataFrame, Any]:
    """A table of times that are those of the model at known constants."""
    names = [f"layer{s}.{b}.conv{c}" for s in (1, 2, 3, 4) for b in (0, 1) for c in (1, 2)]
    rows = [
        {"width": 8, "batch": batch, "fraction": fraction, "layer": name}
        for batch in (1, 16) for fraction in FRACTIONS for name in names
    ]  # fmt: skip
    table = pd.DataFrame(rows, index=range(100, 100 + len(rows)))
    known = script.networks(table)
    return table.join(script.predictions(table, known, script.preset(TRUE))), known


@pytest.mark.long
def test_what_the_model_made_it_predicts(script: Any, made: tuple[pd.DataFrame, Any]) -> None:
    table, known = made
    predicted, constants = script.study(table, known)
    assert list(predicted.index) == list(table.index)
    assert np.allclose(predicted["predicted"], predicted["measured"], rtol=1e-3)
    assert np.allclose(constants[[*script.CONSTANTS]], TRUE, rtol=0.02)


def test_a_half_predicts_the_other_alone(script: Any, made: tuple[pd.DataFrame, Any]) -> None:
    """Other times of a layer change the predictions of the other stages, and not its own."""
    table, known = made
    changed = table.copy()
    here = changed["layer"].str.startswith("layer1")
    changed.loc[here, ["dense", "skipping"]] *= 3
    first, second = (script.study(each, known)[0]["predicted"] for each in (table, changed))
    own = table["layer"].str.contains("layer[13]")
    assert np.allclose(first[own], second[own], rtol=1e-3)
    assert not np.allclose(first[~own], second[~own], rtol=1e-3)


@pytest.mark.long
def test_the_committed_tables_are_of_the_committed_times(script: Any) -> None:
    """And of the committed constants, each half by those of the other."""
    folder = Path(__file__).parents[2] / "results" / "reference"
    times, found, constants = (
        pd.read_csv(folder / f"{name}.csv")
        for name in ("deployment", "deployment_predicted", "deployment_constants")
    )
    times = script.layers_of_the_first(times)
    assert found[script.KEYS].to_dict("list") == times[script.KEYS].to_dict("list")
    assert np.allclose(found["measured"], times["dense"] / times["skipping"], rtol=1e-6)
    found.index = times.index
    known = script.networks(times)
    *halves, _ = constants.to_dict("records")
    for row, others in zip(halves, script.FOLDS[::-1], strict=True):
        there = times[times["layer"].str[5].isin(others)]
        by = script.preset(np.array([row[name] for name in script.CONSTANTS]))
        again = script.predictions(there, known, by)
        ratio = again["dense"] / again["skipping"]
        assert np.allclose(found.loc[there.index, "predicted"], ratio, rtol=1e-5)


def test_the_preset_has_the_constants_of_all_stages(script: Any) -> None:
    """And between those of the halves, where it says a span."""
    preset, rows = hwmodel.load_preset("deployed_core"), pd.read_csv(CONSTANTS)
    constants = {
        "macs_per_ns": preset.mac_per_cycle["8"],
        "outputs_per_ns": preset.outputs_per_cycle["8"],
        "elementwise_per_ns": preset.elementwise_per_cycle,
        "overhead_s": preset.overhead_s,
    }
    assert [*constants] == [*script.CONSTANTS]
    together = rows.set_index("stages").loc[script.ALL]
    assert {name: c.value for name, c in constants.items()} == together.to_dict()
    halves = rows[rows["stages"] != script.ALL]
    for name in script.CONSTANTS:
        assert [constants[name].low, constants[name].high] == sorted(halves[name])
    made = script.preset(together.to_numpy(dtype=float))
    free = ("schedule", "tile_outputs", "mixes_groups", "skips_zeros", "bandwidth_bytes_per_s")
    assert all(getattr(preset, key).value == getattr(made, key).value for key in free)
