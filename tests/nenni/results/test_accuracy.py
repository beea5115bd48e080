import numpy as np
import pandas as pd
import pytest
from table_cases import examples

from nenni.evaluation.statistics import accuracy_interval, wilson
from nenni.results.accuracy import ALL, CROSSED, ONE_SEED, accuracy_table, flags_of, per_seed


def test_a_misclassified_image_is_not_robust() -> None:
    flags = flags_of("pgd", examples([1, 1, 0, 0], [1, 0, 1, 0]))
    assert flags["pgd", 0.0].tolist() == [1, 1, 0, 0]
    assert flags["pgd", 8.0].tolist() == [1, 0, 0, 0]


def test_a_row_per_seed_and_one_for_all() -> None:
    flags = {
        ("b", "none", 0): flags_of("pgd", examples([1, 1, 1, 1], [1, 0, 0, 0])),
        ("b", "none", 1): flags_of("pgd", examples([1, 1, 1, 0], [1, 1, 0, 0])),
        ("b", "one", 1): flags_of("pgd", examples([1, 1, 1, 0], [1, 1, 0, 0])),
    }
    table = accuracy_table(flags).set_index(["defence", "evaluation", "eps", "seed"])
    single = table.loc[("none", "pgd", 8.0, "0")]
    assert single["accuracy"] == 0.25
    assert (single["low"], single["high"]) == wilson(1, 4)
    assert single["interval"] == ONE_SEED
    pooled = table.loc[("none", "pgd", 8.0, ALL)]
    assert pooled["accuracy"] == 0.375
    assert pooled["deviation"] == pytest.approx(np.std([0.25, 0.5], ddof=1))
    stack = np.array([[1, 0, 0, 0], [1, 1, 0, 0]], dtype=float)
    assert (pooled["low"], pooled["high"]) == accuracy_interval(stack)
    assert pooled["values"] == "0:0.2500 1:0.5000"
    assert (pooled["seeds"], pooled["interval"]) == (2, CROSSED)
    one = table.loc[("one", "pgd", 8.0, ALL)]
    assert (one["seeds"], one["interval"], one["values"]) == (1, ONE_SEED, "1:0.5000")


def test_a_file_cut_short_is_noticed() -> None:
    whole = pd.concat([examples([1, 1], [1, 0]), examples([1, 1], [0, 0]).assign(eps=9.0)])
    with pytest.raises(ValueError, match="missing"):
        flags_of("pgd", whole.iloc[:-1])


def test_values_of_seeds_are_told_in_one_cell() -> None:
    assert per_seed(["5", "6"], [0.5, -0.25]) == "5:0.5000 6:-0.2500"
