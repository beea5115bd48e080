import numpy as np
import pandas as pd
import pytest
from table_cases import examples

from nenni.evaluation.scoring import WORST
from nenni.evaluation.statistics import accuracy_interval
from nenni.results.accuracy import ALL
from nenni.results.suites import SUITE_COLUMNS, Attacked, Group, suites_table, tries_table

PASSES = {"forwards": 20.0, "backwards": 10.0}


def attacked(draws: int = 1, **attacks: list[float]) -> Attacked:
    tables = {
        name: examples([1] * len(found), found).assign(draws=draws, **PASSES)
        for name, found in attacks.items()
    }
    return Attacked(tables, {name: [f"of {name}"] for name in attacks})


def groups(*seeds: Attacked) -> dict[Group, dict[int, Attacked]]:
    return {("b", "noisy", "full", "linf"): dict(enumerate(seeds))}


def test_all_seeds_have_rows_of_their_own() -> None:
    first = attacked(pgd=[1, 1, 1, 0], square=[1, 1, 0, 1], autoattack=[0, 0])
    second = attacked(pgd=[1, 0, 1, 0], square=[1, 1, 1, 1], autoattack=[1, 1])
    table = suites_table(groups(first, second))
    assert list(table.columns) == SUITE_COLUMNS
    assert table.groupby("seed").size().to_dict() == {"0": 6, "1": 6, ALL: 6}
    whole = table[table["seed"] == ALL].set_index(["attack", "n"])
    least = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], dtype=float)
    row = whole.loc[(WORST, 4)]
    assert (row["accuracy"], row["values"]) == (0.5, "0:0.5000 1:0.5000")
    assert (row["low"], row["high"]) == accuracy_interval(least)
    assert whole.loc[(WORST, 2), "values"] == "0:0.0000 1:0.5000"
    pgd = whole.loc[("pgd", 4)]
    assert pgd["accuracy"] == pytest.approx(5 / 8)
    assert (pgd["forwards"], pgd["backwards"], pgd["notes"]) == (20, 10, "of pgd")
    assert whole.loc[("clean", 4), "eps"] == 0


def test_the_rows_of_a_seed_are_those_of_its_suite_alone() -> None:
    first, second = attacked(pgd=[1, 1, 1, 0]), attacked(pgd=[1, 0, 1, 0])
    both = suites_table(groups(first, second))
    alone = suites_table(groups(first))
    pd.testing.assert_frame_equal(both[both["seed"] == "0"], alone[alone["seed"] == "0"])


def test_tries_at_randomised_networks_alone() -> None:
    shares = [attacked(draws=10, pgd=[1.0, 0.5, 0.0]), attacked(draws=10, pgd=[1.0, 1.0, 0.0])]
    table = tries_table(groups(*shares)).set_index(["seed", "tries"])
    assert table.loc[("0", 1), "accuracy"] == pytest.approx(0.5)
    assert table.loc[(ALL, 1), "accuracy"] == pytest.approx((0.5 + 2 / 3) / 2)
    assert table.loc[(ALL, 10), "values"] == "0:0.3333 1:0.6667"
    assert tries_table(groups(attacked(pgd=[1, 0, 1]))).empty
