from typing import Any

import pandas as pd
import pytest

from nenni.results.claims import COLUMNS, judge
from nenni.results.verdict import (
    DIRECTION,
    NOT_DERIVABLE,
    NOT_REPRODUCED,
    NOT_TESTED,
    REPRODUCED,
    UNDECIDED,
)

BASES = {
    "at": {"data": "c", "dataset": "cifar10", "model": "resnet18", "architecture": "resnet18"},
    "thin": {"data": "c", "dataset": "cifar10", "model": "resnet18", "architecture": "resnet18 with width 16"},
    "digits": {"data": "digits", "dataset": "mnist", "model": "cnn", "architecture": "cnn with hidden 8"},
}  # fmt: skip
SOURCES = {"draft": {"cite": "a review", "certainty": "review"}}
PAIR = {"base": "at", "defence": "nm", "control_base": "at", "control": "none_ft"}


def judged(
    trial: dict[str, Any] | None = None,
    paired: pd.DataFrame | None = None,
    reductions: pd.DataFrame | None = None,
    **claim: Any,
) -> dict[str, Any]:
    fields = {
        "text": "t", "source": "draft", "datasets": ["cifar10"], "architectures": ["resnet18"],
        "measure": "robust_gain", "value": 0.16, "margin": None, "training": ["adversarial"],
    } | claim  # fmt: skip
    row = {
        "claim": "c", "comparator": "the same training", **PAIR, "evaluation": "pgd", "norm": "linf",
        "eps": 8 / 255, "baseline": "", "overheads": False, "limit": 1.0, "differs": "", "missing": "",
    } | (trial or {})  # fmt: skip
    paired = measured(15, 20) if paired is None else paired
    reductions = saved(0.9, 0.85) if reductions is None else reductions
    (found,) = judge({"c": fields}, SOURCES, BASES, [row], paired, reductions).to_dict("records")
    assert list(found) == COLUMNS
    return {str(key): value for key, value in found.items()}


def measured(
    low: float, high: float, seeds: int = 5, without: float = 80, **where: Any
) -> pd.DataFrame:
    """In points: rows of seeds, and of all; others that are to be left alone."""
    mean = (low + high) / 200
    row = {**PAIR, "evaluation": "pgd", "eps": 8 / 255, **where}
    whole = {
        **row, "seed": "all", "seeds": seeds, "n": 1000, "accuracy": without / 100 + mean,
        "control_accuracy": without / 100, "difference": mean, "low": low / 100,
        "high": high / 100, "values": "0:0.1 1:0.2",
    }  # fmt: skip
    others = [whole | {key: "other", "difference": 9.0} for key in (*PAIR, "evaluation")]
    each = [{**row, "seed": str(s), "seeds": 1, "difference": mean} for s in range(seeds)]
    return pd.DataFrame([*others, *each, whole, whole | {"eps": 0.0, "difference": 9.0}])


def saved(without: float, full: float) -> pd.DataFrame:
    row = {
        "base": "at", "defence": "nm", "layer": "total", "baseline": "fp32", "seed": 0,
        "variant": "as_evaluated", "reduction_without": without, "reduction_with": full,
    }  # fmt: skip
    others = [row | c | {"reduction_with": 9.0} for c in (
        {"variant": "exact_at_baseline"}, {"layer": "conv1"}, {"baseline": "int8"}, {"base": "x"}
    )]  # fmt: skip
    return pd.DataFrame([*others, row, row | {"seed": 1}])


def test_a_row_says_what_was_claimed_by_whom_and_what_was_measured() -> None:
    row = judged()
    assert (row["source"], row["certainty"], row["datasets"]) == ("a review", "review", "cifar10")
    assert (row["measured_on"], row["architecture"]) == ("c", "resnet18")
    assert (row["claimed"], row["measured"]) == (0.16, pytest.approx(0.175))
    assert (row["low"], row["high"], row["seeds"], row["n"]) == (0.15, 0.2, 5, 1000)
    assert row["values"] == "0:0.1 1:0.2"
    assert (row["effect"], row["as_large"], row["verdict"]) == ("yes", "yes", REPRODUCED)
    assert row["unit"] == "accuracy"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(5, 8, DIRECTION), (1, 8, UNDECIDED), (-2, 1, NOT_REPRODUCED)],
)
def test_a_gain_against_a_control(low: float, high: float, verdict: str) -> None:
    assert judged(paired=measured(low, high))["verdict"] == verdict


@pytest.mark.parametrize(
    ("trial", "why"),
    [
        ({"base": "thin"}, "with resnet18 with width 16, not resnet18"),
        ({"base": "digits"}, "on digits, not cifar10; with cnn, not resnet18"),
        ({"differs": "with noise elsewhere"}, "; with noise elsewhere"),
    ],
)
def test_other_data_networks_and_arms_can_at_best_show_the_direction(
    trial: dict[str, Any], why: str
) -> None:
    where = {"base": trial["base"]} if "base" in trial else {}
    row = judged(trial, measured(15, 20, **where))
    assert row["verdict"] == DIRECTION
    assert why in row["reason"]
    row = judged(trial, measured(-5, -2, **where))
    assert row["verdict"] == NOT_REPRODUCED
    assert why in row["reason"]


def test_a_text_without_architecture_takes_any() -> None:
    row = judged({"base": "thin"}, measured(15, 20, base="thin"), architectures=None)
    assert row["verdict"] == REPRODUCED


def test_the_least_of_several_values_is_to_be_reached() -> None:
    row = judged(paired=measured(1.5, 1.8), value=[0.0189, 0.0319])
    assert (row["claimed"], row["claimed_most"]) == (0.0189, 0.0319)
    assert row["verdict"] == REPRODUCED


def test_accuracy_that_is_kept_and_lost() -> None:
    clean = {"evaluation": "pgd", "eps": 0.0}
    kept = {"measure": "clean_kept", "value": None, "margin": 0.02}
    table = measured(-1.5, 0.5, eps=0.0)
    table = table[table["difference"] != 9.0]
    row = judged(clean, table, **kept)
    assert (row["verdict"], row["claimed"]) == (REPRODUCED, -0.02)
    row = judged(paired=measured(-70, -50), measure="clean_loss", value=0.5)
    assert (row["verdict"], row["claimed"]) == (REPRODUCED, -0.5)
    row = judged(paired=measured(-3, -1), measure="robust_loss", value=None)
    assert row["verdict"] == REPRODUCED
    assert pd.isna(row["claimed"])


def test_what_the_run_lacks_is_named() -> None:
    row = judged({"base": "", "defence": "", "missing": "a defence"})
    assert (row["verdict"], row["reason"]) == (NOT_TESTED, "not in this run: a defence")
    assert pd.isna(row["measured"])
    row = judged(paired=measured(5, 9, control="another"))
    assert row["verdict"] == NOT_TESTED


@pytest.mark.parametrize(
    ("low", "high", "without", "claim", "why"),
    [
        (-1, 1, 0, {}, "leaves too little of any network for 4.0 points, a quarter of what is claimed, to show: 0.0 % without it, and at most 0.0 % of any"),
        (1, 2, 2, {}, "leaves too little of any network for 4.0 points"),
        (-2, -1, 98, {}, "too little to gain for 4.0 points, a quarter of what is claimed, to show: 98.0 % without it, and at most 98.0 % of any"),
        (-2, -1, 2, {"measure": "robust_loss"}, "too little to lose for 4.0 points"),
    ],
)  # fmt: skip
def test_where_no_effect_could_show_none_is_denied(
    low: float, high: float, without: float, claim: dict[str, Any], why: str
) -> None:
    row = judged(paired=measured(low, high, without=without), **claim)
    assert row["verdict"] == NOT_TESTED
    assert why in row["reason"]
    assert (row["low"], row["high"]) == (low / 100, high / 100)
    assert pd.isna(row["effect"])


@pytest.mark.parametrize(
    ("low", "high", "without", "claim", "verdict"),
    [
        (4, 6, 0, {}, DIRECTION),
        (-60, -50, 60, {}, NOT_REPRODUCED),
        (-1, 1, 96, {}, NOT_REPRODUCED),
        (-1, 1, 4, {"measure": "robust_loss"}, NOT_REPRODUCED),
        (-1, 1, 0, {"measure": "robust_loss", "value": None}, UNDECIDED),
        (-1, 1, 0, {"training": ["standard"]}, NOT_REPRODUCED),
    ],
)
def test_where_an_effect_could_show_it_is_judged(
    low: float, high: float, without: float, claim: dict[str, Any], verdict: str
) -> None:
    assert judged(paired=measured(low, high, without=without), **claim)["verdict"] == verdict


def test_a_network_that_stands_at_the_radius_shows_that_something_could() -> None:
    """The defence and its control have nothing left, and another network of the run has."""
    table = measured(-1, 1, without=0)
    other = table[(table["seed"] == "all") & (table["difference"] != 9.0)].assign(
        defence="another", accuracy=0.3
    )
    assert judged(paired=table)["verdict"] == NOT_TESTED
    assert judged(paired=pd.concat([table, other]))["verdict"] == NOT_REPRODUCED
    elsewhere = other.assign(eps=1.0)
    assert judged(paired=pd.concat([table, elsewhere]))["verdict"] == NOT_TESTED


BITOPS = {"evaluation": "", "norm": "", "eps": 0.0, "baseline": "fp32", "overheads": True}


@pytest.mark.parametrize(
    ("limit", "overheads", "value", "verdict"),
    [
        (0.9, True, 0.826, REPRODUCED),
        (0.9, True, 0.86, DIRECTION),
        (0.9, False, 0.86, REPRODUCED),
        (0.9, False, 0.916, NOT_DERIVABLE),
        (0.75, True, 0.875, NOT_DERIVABLE),
        (0.75, True, 0.826, REPRODUCED),
    ],
)
def test_bitops(limit: float, overheads: bool, value: float, verdict: str) -> None:
    trial = BITOPS | {"limit": limit, "overheads": overheads}
    row = judged(trial, measure="bitops_reduction", value=value)
    assert row["verdict"] == verdict
    assert row["measured"] == (0.85 if overheads else 0.9)
    assert (row["unit"], row["seeds"]) == ("BitOPs", 2)
    assert row["values"].startswith("0:0.")


@pytest.mark.parametrize("limit", [0.9, 0.5])
def test_bitops_that_nobody_counted_are_not_tested(limit: float) -> None:
    trial = BITOPS | {"limit": limit, "baseline": "fp16"}
    row = judged(trial, measure="bitops_reduction", value=0.8)
    assert row["verdict"] == NOT_TESTED
    assert row["reason"] == "not in this run: a count of its BitOPs beside dense FP16"
    assert pd.isna(row["measured"])
    assert pd.isna(row["effect"])


def test_bitops_need_no_seeds() -> None:
    row = judged(
        BITOPS, reductions=saved(0.9, 0.85).iloc[:-1], measure="bitops_reduction", value=0.8
    )
    assert (row["seeds"], row["verdict"]) == (1, REPRODUCED)
