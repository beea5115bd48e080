"""Titles that do not clash leave every column of the main table its own."""

import itertools

import pandas as pd
import pytest
from table_cases import EPS

from nenni.results.main_columns import WHERE, clashes, of_accuracy, titles_among
from nenni.results.main_table import main_table

TITLES = [
    "a",
    "a_low",
    "a_n",
    "a_low_high",
    "eps",
    "clean_n",
    "clean",
    "latency_cpu",
    "bitops_",
    "b",
]


@pytest.mark.parametrize("titles", [*itertools.permutations(TITLES, 2)])
def test_each_title_has_its_columns(tables: dict[str, pd.DataFrame], titles: list[str]) -> None:
    columns = dict.fromkeys(titles, "pgd")
    inputs = [tables[name] for name in ("accuracy", "reductions", "latency")]
    made = main_table(*inputs, "fgsm", columns, EPS, "linf")
    alone = main_table(*inputs, "fgsm", {}, EPS, "linf")
    kept = made.shape[1] == alone.shape[1] + len(titles) * len(of_accuracy(""))
    if not any(True for _ in clashes(titles)):
        assert kept
        assert made[alone.columns].equals(alone)
        assert titles_among(made.columns) == ["clean", *titles]
    elif not any(title.startswith(("latency_", "bitops_")) for title in titles):
        assert not kept


@pytest.mark.parametrize(
    ("titles", "mistaken"),
    [
        (["eps_low", "eps_high", "eps_n"], []),
        (["a_low", "a_high", "a_n"], []),
        (["a", "a_low_low", "a_low_high", "a_low_n"], ["a_low_low"]),
        (["clean_n_low", "clean_n_high", "clean_n_n"], ["clean_n_low"]),
    ],
)
def test_no_column_passes_for_a_title(titles: list[str], mistaken: list[str]) -> None:
    assert [title for title, _ in clashes(titles)] == mistaken
    columns = [*WHERE, *(column for title in ("clean", *titles) for column in of_accuracy(title))]
    assert (titles_among(columns) == ["clean", *titles]) == (not mistaken)


def test_columns_of_costs_and_suites_are_no_titles() -> None:
    for start in ("suite_", "time_", "energy_", "latency_", "bitops_"):
        assert titles_among([f"{start}a{end}" for end in ("", "_low", "_high", "_n")]) == []
    assert titles_among(["least", "least_low", "least_high", "least_n", "least_eps"]) == ["least"]


def test_two_eps_that_are_equal_in_eight_digits_keep_their_columns(
    tables: dict[str, pd.DataFrame],
) -> None:
    near = {base: eps + 1e-12 for base, eps in EPS.items()}
    accuracy = tables["accuracy"]
    moved = accuracy.assign(
        eps=accuracy["eps"].where(accuracy["eps"] == 0, accuracy["eps"] + 1e-12)
    )
    both = pd.concat([accuracy, moved[moved["eps"] > 0].assign(accuracy=0.25)])
    inputs = [both, tables["reductions"], tables["latency"]]
    made = main_table(*inputs, "fgsm", {"a": "pgd"}, near, "linf")
    assert (made["a"] == 0.25).all()
    assert (main_table(*inputs, "fgsm", {"a": "pgd"}, EPS, "linf")["a"] != 0.25).all()
