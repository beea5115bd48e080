"""The study of repairs: what its settings are, and a run of it on a few digits."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scripts import script_named

from nenni.adversary.attack_choice import AttackChoice
from nenni.data.datasets.mnist5k import mnist5k

study: Any = script_named("repair_study")
repairs: Any = script_named("_repairs")
tables: Any = script_named("_found_tables")
COLUMNS = [
    "data", "seed", "setting", "selection", "bits", "ratio", "training", "clean", "pgd_20", "least",
    "n", "held", "saved", "seconds",
]  # fmt: skip


@pytest.mark.parametrize("name", repairs.ATTACKS)
def test_every_attack_to_train_on_gives_its_best_iterate_on_the_margin(name: str) -> None:
    attack = repairs.attack_of(repairs.ATTACKS[name])
    assert isinstance(attack, AttackChoice)
    assert (attack.name, attack.arguments["loss"]) == ("apgd", "pm")


def test_each_setting_is_another() -> None:
    told = [str(setting) for setting in repairs.SETTINGS.values()]
    assert len(set(told)) == len(told)
    plain = [name for name, setting in repairs.SETTINGS.items() if setting.injection is None]
    assert plain == ["none_ft", "none_ft_margin"]


def test_what_is_trained_on_is_told() -> None:
    assert repairs.Setting().training == "as its base"
    both = repairs.Setting(attack="margin by BPDA", annealed=True)
    assert both.training == "margin by BPDA, masks soft to hard"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    digits = mnist5k().train
    order = np.random.default_rng(0).permutation(len(digits))
    found = tmp_path_factory.mktemp("digits")
    for name, rows in (("train", order[:600]), ("test", order[600:640])):
        np.savez(found / f"{name}.npz", x=digits.pixels[rows, 0], y=digits.labels[rows])
    return found


def run(folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch, *settings: str) -> pd.DataFrame:
    sizes = ["--train", "40", "--epochs", "1", "--base-epochs", "1", "--test", "6", "--seeds", "0"]
    asked = ["--data", str(folder), "--out", str(out), *sizes, "--settings", *settings]
    monkeypatch.setattr(sys, "argv", ["repair_study.py", *asked])
    monkeypatch.setattr(study, "SUITE", {"pgd_20": {"name": "pgd", "steps": 2}})
    study.main()
    return pd.read_csv(out)


@pytest.mark.long
def test_it_goes_on_where_it_was_row_by_row(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "repair.csv"
    first = run(folder, out, monkeypatch, "none_ft")
    assert first["setting"].tolist() == ["none_ft"]
    more = run(folder, out, monkeypatch, "none_ft", "cheap_annealed_margin")
    assert list(more) == COLUMNS
    assert more["setting"].tolist() == ["none_ft", "cheap_annealed_margin"]
    assert more.loc[0, "seconds"] == first.loc[0, "seconds"]  # it was not trained again
    row = more.loc[1]
    assert (row["selection"], row["ratio"]) == ("topk 0.4", "tap_shared 0.25")
    assert row["saved"] >= tables.SAVED > more.loc[0, "saved"]
    assert set(row["held"]) <= {"y", "n"}
    assert row["held"].count("y") == row["n"] * row["least"]
    before = out.read_bytes()
    run(folder, out, monkeypatch, "none_ft", "cheap_annealed_margin")
    assert out.read_bytes() == before
    assert tables.repaired(more)["setting"].tolist() == more["setting"].tolist()
