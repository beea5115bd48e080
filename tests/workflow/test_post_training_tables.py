"""The page on networks that are not trained again: whatever the tables hold, it says that."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripts import script_named

ROOT = Path(__file__).parents[2]
RESNETS = ("post_training/resnet20", "post_training/resnet32")
LITE0 = "post_training/efficientnet_lite0"
FILES = (*RESNETS, LITE0, "fit_choices", "allocation", "fit_methods")


@pytest.fixture(scope="module")
def pages() -> Any:
    return script_named("result_pages")


@pytest.fixture(scope="module")
def script(pages: Any) -> Any:
    return pages._post_training_tables


@pytest.fixture
def tables(pages: Any) -> dict[str, pd.DataFrame]:
    """Made up: numbers that differ from row to row, and are nobody's results."""
    study = pages._post_training
    places = [s.place for s in script_named("post_training").settings()]
    found = {name: made_up(study, name, places, 0.3 + i / 10) for i, name in enumerate(RESNETS)}
    fits = [
        ("fit", study.fit_value(f, "sparse 1/8", name)) for f in (0.5, 0.9) for name in study.FITS
    ]
    found[LITE0] = made_up(study, LITE0, fits, 0.2)
    for name in ("fit_choices", "allocation", "fit_methods"):
        found[name] = pd.read_csv(pages.TABLES / f"{name}.csv")
    return found


def made_up(study: Any, name: str, places: list[tuple[str, str]], base: float) -> pd.DataFrame:
    network = name.rpartition("/")[2]
    rows = [
        {"network": network, "factor": "undefended", "value": float("nan")} | study.told(30, 400)
    ]
    for i, (factor, value) in enumerate(places):
        row = {"network": network, "factor": factor, "value": value}
        row |= study.told(400 * (1 - base) - i, 400)
        row |= {"relative_error": base + i / 1000, "recall": 0.5 + i / 1000, "fraction": 0.5}
        rows.append(row | {"seconds": 10.0 + i})
    return pd.DataFrame(rows, columns=study.COLUMNS)


def page(pages: Any, tables: dict[str, pd.DataFrame]) -> str:
    text: str = pages.page(pages.read() | tables, "post_training")
    return text


def test_the_page_has_every_row_of_its_tables(
    pages: Any, script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    text = page(pages, tables)
    for name in (*RESNETS, LITE0):
        rows = tables[name]
        for row in rows[~rows["factor"].isin(["undefended", "fraction x projection"])].itertuples():
            assert script.accuracy(row) in text, row
    assert not re.search(r"\bnan\b|\{\{|\{%|None", text)
    assert "n = 400" in text
    assert max(len(line) for line in text.splitlines()) < 600


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_other_numbers_in_a_table_are_noticed(
    name: str, pages: Any, tables: dict[str, pd.DataFrame]
) -> None:
    changed = tables[name].copy()
    numbers = changed.select_dtypes("float").columns.difference(["fraction", "budget", "lr"])
    changed[numbers] *= 0.9
    assert page(pages, tables | {name: changed}) != page(pages, tables)


def test_words_follow_the_numbers(pages: Any, tables: dict[str, pd.DataFrame]) -> None:
    study = pages._post_training
    for name in RESNETS:
        value, at = tables[name]["value"], "0.25 x sparse 1/8"
        for fit, accuracy, seconds in ((study.BEFORE, 0.7, 10), (study.DEFAULT_FIT, 0.2, 25)):
            tables[name].loc[value == f"{at}: {fit}", ["accuracy", "seconds"]] = accuracy, seconds
    text = page(pages, tables)
    assert text.count("25 % exact, sparse 1/8: accuracy falls by 50.0 points, for 2.5 times") == 2
    choices = tables["fit_choices"]
    default = (choices["inputs"] == "exact") & (choices["batch_norms"] == "measured")
    choices.loc[default, "accuracy"] = 0.0
    worse = page(pages, tables)
    assert re.search(r"- ResNet-20: \d+\.\d points below the best of the other choices", worse)
    choices.loc[default, "accuracy"] = 1.0
    assert re.search(r"- ResNet-20: \d+\.\d points above the best", page(pages, tables))


def test_values_of_a_factor_are_compared(pages: Any, tables: dict[str, pd.DataFrame]) -> None:
    for name, shares in zip(RESNETS, ((0.5, 0.25), (0.3, 0.4)), strict=True):
        for value, share in zip(("GaussianNoise", "Approximation"), shares, strict=True):
            tables[name].loc[tables[name]["value"] == value, "accuracy"] = share
    told = (
        "ResNet-20 lies 25.0 points above what it keeps with `Approximation`, ResNet-32 10.0 points"
    )
    assert f"With `GaussianNoise` {told} below it." in page(pages, tables)


def test_means_are_over_the_settings_that_have_every_choice(script: Any) -> None:
    rows = [
        ("resnet20", "sparse", 0.5, "exact", "kept", 0.5, 10),
        ("resnet20", "sparse", 0.5, "exact", "measured", 0.8, 20),
        ("resnet20", "sparse", 0.1, "exact", "kept", 0.3, 30),
        ("resnet20", "sparse", 0.1, "exact", "measured", 0.2, 40),
        ("resnet20", "sparse", 0.9, "exact", "kept", 0.9, 90),
        ("lenet5", "sparse", 0.5, "exact", "kept", 0.9, 1),
        ("lenet5", "sparse", 0.5, "injected", "kept", 0.95, 2),
    ]
    names = ["network", "projection", "fraction", "inputs", "batch_norms", "accuracy", "seconds"]
    study = pd.DataFrame(rows, columns=names)
    found = script.fit_means(study).set_index(["network", "fit"])
    assert found["settings"].tolist() == [2, 2, 1, 1]
    measured = found.loc[("ResNet-20", "exact, measured")]
    assert measured["accuracy"] == pytest.approx(0.5)
    assert measured[["least", "most"]].tolist() == pytest.approx([-0.1, 0.3])
    assert measured["times"] == pytest.approx(60 / 40)
    beside = script.default_beside_best(study)
    assert [*beside["network"]] == ["ResNet-20"]
    assert beside["accuracy_other"].tolist() == pytest.approx([0.4])
    table = script.fit_choices(study)
    assert table["points beside exact, kept"].tolist() == ["", "-10.0 to +30.0", "", "+5.0 to +5.0"]


def test_a_value_that_one_network_lacks_is_left_blank(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    first, second = (tables[name] for name in RESNETS)
    second = second[second["value"] != "0.75"]
    found = script.by_factor(first, second, factors=("fraction",))
    blank = found.iloc[4]
    assert blank["fraction"] == "0.75"
    assert blank["ResNet-20: accuracy"]
    assert blank["ResNet-32: accuracy"] == ""
    assert len(found) == 7
    bits = script.by_factor(first, factors=("weight_bits", "exact_bits"))
    assert bits["changed"].tolist() == [
        "weight bits 2",
        "weight bits 32",
        "exact bits 4",
        "exact bits 8",
    ]


def test_the_grid_has_each_pair_in_its_place(script: Any, tables: dict[str, pd.DataFrame]) -> None:
    found = script.grid(*(tables[name] for name in RESNETS)).set_index("projection")
    assert [*found.columns] == ["0", "0.125", "0.25", "0.5", "0.75", "0.9"]
    first, second = (
        float(t.loc[t["value"] == "0.25 x gaussian", "accuracy"].iloc[0])
        for t in (tables[name] for name in RESNETS)
    )
    assert found.loc["gaussian", "0.25"] == f"{100 * first:.1f} / {100 * second:.1f}"


def test_methods_are_named_by_what_sets_them_apart(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    methods = tables["fit_methods"]
    table = script.fit_methods(methods)
    assert table["method"].is_unique
    assert len(table) == len(methods) / 2
    best = script.best_methods(methods).set_index("weight_bits")
    for bits in (2, 4):
        here = methods[methods["weight_bits"] == bits]
        assert best.loc[bits, "relative_error"] == here["relative_error"].min()
        assert best.loc[bits, "relative_error_ridge"] == pytest.approx(
            here[(here["method"] == "ridge") & (here["images"] == 1000)]["relative_error"].iloc[0]
        )


def test_allocations_are_told_beside_one_fraction_for_all(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    found = tables["allocation"]
    table = script.allocation(found)
    assert [*table.columns[1:]] == [*script._ALLOCATIONS.values()]
    assert not table["one fraction for all"].str.contains("p ").any()
    assert table["by sensitivities of single layers"].str.contains(", p ").all()
    changes = script.allocation_changes(found).set_index(["budget", "allocation"])["change"]
    shares = found.set_index(["budget", "allocation"])["accuracy"]
    assert changes[0.5, "profile"] == pytest.approx(shares[0.5, "profile"] - shares[0.5, "uniform"])
    assert len(changes) == 6


def test_no_result_is_typed_by_hand() -> None:
    text = (ROOT / "docs" / "post_training.md.jinja").read_text()
    typed = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
    assert set(re.findall(r"\d(?:[\d.,]*\d)? ?(?:%|points|times)", typed)) <= {"95 %"}
    assert set(re.findall(r"\d+\.\d+", typed)) == set()
