import numpy as np
import pandas as pd
import pytest
from table_cases import examples

from nenni.evaluation.statistics import difference_interval, mcnemar
from nenni.results.accuracy import ALL, CROSSED, ONE_SEED, flags_of
from nenni.results.paired import COLUMNS, least_name, paired_table

ONE, TWO = [1, 0, 0, 0], [1, 1, 0, 0]
MORE, MOST = [1, 1, 1, 0], [1, 1, 1, 1]
FLAGS = {
    ("b", "none", 0): flags_of("pgd", examples([1, 1, 1, 1], ONE)),
    ("b", "none", 1): flags_of("pgd", examples([1, 1, 1, 0], TWO)),
    ("b", "noisy", 0): flags_of("pgd", examples([1, 1, 1, 1], MORE)),
    ("b", "noisy", 1): flags_of("pgd", examples([1, 1, 1, 1], MOST)),
    ("other", "none", 1): flags_of("pgd", examples([1, 1, 1, 1], MORE)),
}  # fmt: skip
SAME = ("b", "noisy", "b", "none")


def test_pairs_are_compared_by_seed_and_image() -> None:
    paired = paired_table(FLAGS, [SAME], {})
    assert list(paired.columns) == COLUMNS
    assert set(paired["evaluation"]) == {"pgd", "pgd any"}
    paired = paired[paired["evaluation"] == "pgd"].set_index(["eps", "seed"])
    assert paired.loc[(8.0, "0"), "difference"] == 0.5
    assert paired.loc[(8.0, "0"), "accuracy"] == 3 / 4
    assert paired.loc[(8.0, "0"), "control_accuracy"] == 1 / 4
    assert paired.loc[(8.0, "0"), "p"] == mcnemar(np.array(MORE), np.array(ONE))
    whole = paired.loc[(8.0, ALL)]
    assert whole["difference"] == 0.5
    assert (whole["accuracy"], whole["control_accuracy"]) == (7 / 8, 3 / 8)
    assert whole["values"] == "0:0.5000 1:0.5000"
    differences = np.array([MORE, MOST], dtype=float) - np.array([ONE, TWO])
    assert (whole["low"], whole["high"]) == difference_interval(differences)
    assert whole["interval"] == CROSSED
    assert paired.loc[(0.0, ALL), "difference"] == 0.125


def test_a_control_of_another_base_is_compared_on_the_seeds_of_both() -> None:
    paired = paired_table(FLAGS, [("b", "noisy", "other", "none")], {})
    whole = paired[(paired["evaluation"] == "pgd") & (paired["eps"] == 8.0)]
    assert whole["seed"].tolist() == ["1", ALL]
    assert whole["control_base"].tolist() == ["other"] * 2
    assert whole["difference"].tolist() == [0.25] * 2
    assert whole["interval"].iloc[1] == ONE_SEED


def test_nothing_to_compare_still_has_columns() -> None:
    assert list(paired_table(FLAGS, [("b", "noisy", "b", "absent")], {}).columns) == COLUMNS


def suite(**attacks: list[int]) -> dict[str, pd.DataFrame]:
    return {name: examples([1] * len(flags), flags) for name, flags in attacks.items()}


def test_the_least_is_over_the_attacks_that_both_received() -> None:
    """The control has no soft mask, which broke two images more; both have square."""
    ours = suite(pgd=[1, 1, 1, 0], soft_mask=[1, 0, 0, 1], square=[1, 1, 0, 1])
    theirs = suite(pgd=[1, 1, 0, 0], square=[1, 1, 1, 1])
    suites = {
        ("b", "noisy", 0): {("full", "linf"): ours},
        ("b", "none", 0): {("full", "linf"): theirs},
    }
    paired = paired_table(FLAGS, [SAME], suites)
    found = paired[paired["evaluation"] == least_name("full", "linf")].set_index("seed")
    assert found.loc["0", "difference"] == pytest.approx(2 / 4 - 2 / 4)
    assert found.loc["0", "eps"] == 8.0
    assert found.loc[ALL, "seeds"] == 1
    theirs["soft_mask"] = examples([1] * 4, [1, 1, 1, 1])
    found = paired_table(FLAGS, [SAME], suites)
    found = found[found["evaluation"] == least_name("full", "linf")].set_index("seed")
    assert found.loc["0", "difference"] == pytest.approx(1 / 4 - 2 / 4)


def test_attacks_on_fewer_images_leave_the_least_alone() -> None:
    ours = suite(pgd=[1, 1, 1, 0], autoattack=[0, 0])
    theirs = suite(pgd=[1, 1, 0, 0], autoattack=[0, 0])
    suites = {
        ("b", "noisy", 1): {("full", "l2"): ours},
        ("b", "none", 1): {("full", "l2"): theirs},
    }
    paired = paired_table(FLAGS, [SAME], suites)
    found = paired[paired["evaluation"] == "full l2 least of both"].set_index("seed")
    assert (found.loc[ALL, "n"], found.loc[ALL, "difference"]) == (4, 0.25)
