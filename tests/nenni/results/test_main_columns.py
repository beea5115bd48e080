"""Titles that do not clash leave every column of the main table its own."""

import itertools

import pandas as pd
import pytest
from table_cases import EPS

from nenni.results.main_columns import clashes, of_accuracy
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
    elif not any(title.startswith(("latency_", "bitops_")) for title in titles):
        assert not kept


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
