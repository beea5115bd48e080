from typing import Any

import pandas as pd
import pytest

from nenni.results.claims import judge

TABLES = {"clean": "pgd", "columns": {"pgd_20": "pgd"}, "eps": {"pgd_at": 8.0}}


def claim(**changes: Any) -> dict[str, dict[str, Any]]:
    fields = {
        "text": "t", "source": "s", "dataset": "cifar10", "measure": "robust_gain", "value": 0.14,
        "tolerance": 0.0, "column": "pgd_20", "base": "pgd_at", "defence": "topk", "bits": None,
    }  # fmt: skip
    return {"c": fields | changes}


def paired(
    difference: float, low: float, high: float, seeds: int, eps: float = 8.0, worst: float = 1.0
) -> pd.DataFrame:
    row = {
        "base": "pgd_at", "defence": "topk", "control": "none_ft", "evaluation": "pgd", "eps": eps,
        "seed": "all", "seeds": seeds, "difference": difference, "low": low, "high": high,
    }  # fmt: skip
    single = {**row, "seed": "0", "seeds": 1, "difference": min(difference, worst)}
    return pd.DataFrame([single, {**single, "seed": "1", "difference": difference}, row])


def reductions(without: float, full: float) -> pd.DataFrame:
    row = {
        "base": "pgd_at", "defence": "topk", "layer": "total", "baseline": "fp32",
        "variant": "as_evaluated", "reduction_without": without, "reduction_with": full,
    }  # fmt: skip
    other = {**row, "variant": "exact_at_baseline", "reduction_with": 0.99}
    return pd.DataFrame([row, row, other])


@pytest.mark.parametrize(
    ("measured", "dataset", "verdict", "reason"),
    [
        ((0.20, 0.15, 0.25, 3), "cifar10", "reproduced", "measured +20.0 points [+15.0, +25.0]"),
        ((0.20, 0.15, 0.25, 2), "cifar10", "same direction", "2 seeds of the 3"),
        ((0.20, 0.15, 0.25, 3), "mnist5k", "same direction", "mnist5k can only hint"),
        ((0.05, 0.01, 0.09, 3), "cifar10", "same direction", "less than claimed"),
        ((0.05, -0.01, 0.11, 3), "cifar10", "not reproduced", "measured +5.0 points"),
        ((-0.2, -0.3, -0.1, 3), "mnist5k", "not reproduced", "measured -20.0 points"),
    ],
)
def test_verdict_on_a_gain(
    measured: tuple[float, float, float, int], dataset: str, verdict: str, reason: str
) -> None:
    table = judge(claim(), paired(*measured), reductions(0, 0), TABLES, {"pgd_at": dataset})
    (row,) = table.to_dict("records")
    assert row["verdict"] == verdict
    assert reason in row["reason"]
    assert row["against"] == "none_ft"


def test_clean_accuracy_kept_within_the_tolerance() -> None:
    kept = claim(measure="clean_gain", value=0.0, tolerance=0.01, column=None)
    for low, verdict in ((-0.009, "reproduced"), (-0.011, "not reproduced")):
        table = judge(
            kept,
            paired(-0.002, low, 0.01, 3, eps=0.0),
            reductions(0, 0),
            TABLES,
            {"pgd_at": "cifar10"},
        )
        assert table["verdict"].tolist() == [verdict]


def test_bitops_are_judged_with_and_without_overheads() -> None:
    wanted = claim(measure="bitops_reduction", value=0.8, column=None, bits="fp32")
    table = judge(wanted, paired(0, 0, 0, 3), reductions(0.9, -0.1), TABLES, {"pgd_at": "cifar10"})
    assert table["against"].tolist() == [
        "dense FP32, overheads counted",
        "dense FP32, overheads left out",
    ]
    assert table["verdict"].tolist() == ["not reproduced", "same direction"]
    assert table["measured"].tolist() == [-0.1, 0.9]


def test_what_the_run_lacks_is_not_tested() -> None:
    table = judge(claim(defence="absent"), paired(0, 0, 0, 3), reductions(0, 0), TABLES, {})
    assert table["verdict"].tolist() == ["not tested here"]
    assert table["reason"].tolist() == ["absent on pgd_at was not measured so in this run"]


def test_an_effect_that_one_seed_does_not_show_is_not_reproduced() -> None:
    table = judge(claim(), paired(0.2, 0.15, 0.25, 3, worst=-0.01), reductions(0, 0), TABLES, {})
    assert table["verdict"].tolist() == ["not reproduced"]
    assert "seeds -1.0 to" in table["reason"].iloc[0]
