from pathlib import Path

import pandas as pd
import pytest

from nenni.core.io import read_csv
from nenni.results.main_columns import titles_among
from nenni.results.page.chart import Point
from nenni.results.page.trade_off import trade_off

REFERENCE = Path(__file__).parents[4] / "results" / "reference" / "mnist5k"
FIRST = "pgd_at: all attacks of suite full, L∞ 8/255"


def attacks(points: list[Point]) -> list[str]:
    return list(dict.fromkeys(point.attack for point in points))


def test_the_strongest_comes_first_and_clean_images_last(tables: dict[str, pd.DataFrame]) -> None:
    found = attacks(trade_off(tables["main"], tables["suites"]).points)
    assert found == [
        FIRST,
        "pgd_at: all attacks of suite full, L2 0.0313725",
        "pgd_at: fgsm, L∞ 8/255",
        "pgd_at: pgd_20, L∞ 8/255",
        "pgd_at: pgd of suite full, L∞ 8/255",
        "pgd_at: pgd of suite full, L2 0.0313725",
        "pgd_at: clean images",
        "standard: all attacks of suite full, L∞ 8/255",
        "standard: all attacks of suite full, L2 0.0313725",
        "standard: fgsm, L∞ 4/255",
        "standard: pgd_20, L∞ 4/255",
        "standard: pgd of suite full, L∞ 8/255",
        "standard: pgd of suite full, L2 0.0313725",
        "standard: clean images",
    ]


def test_a_column_of_the_main_table_is_its_mean_interval_and_seeds(
    tables: dict[str, pd.DataFrame],
) -> None:
    points = trade_off(tables["main"]).points
    at = [point for point in points if point.attack == "pgd_at: pgd_20, L∞ 8/255"]
    assert [point.network for point in at] == ["pgd_at/none", "pgd_at/topk_50", "pgd_at/nm_2_4"]
    first = at[0]
    assert (first.accuracy, first.low, first.high, first.images) == (30.0, 25.0, 35.0, 100)
    assert first.each == [30.0, 30.0]
    assert first.seeds == "0: 30.0, 1: 30.0"


def test_harder_columns_come_before_easier_ones(tables: dict[str, pd.DataFrame]) -> None:
    main = tables["main"].assign(pgd_20=0.1)
    assert attacks(trade_off(main).points)[0] == "pgd_at: pgd_20, L∞ 8/255"
    assert attacks(trade_off(main.assign(fgsm=0.05)).points)[0] == "pgd_at: fgsm, L∞ 8/255"


def test_all_attacks_count_on_the_most_images(tables: dict[str, pd.DataFrame]) -> None:
    whole = tables["suites"][tables["suites"]["attack"] == "all attacks"]
    fewer = whole.assign(n=2, accuracy=0.9)
    suites = pd.concat([fewer, tables["suites"]])
    points = [p for p in trade_off(tables["main"], suites).points if p.attack == FIRST]
    assert [(point.accuracy, point.images) for point in points] == [(50.0, 4)] * 3


@pytest.mark.parametrize("pooled", [True, False])
def test_several_seeds_of_a_suite_are_a_mean_and_each(
    tables: dict[str, pd.DataFrame], pooled: bool
) -> None:
    one = tables["suites"][tables["suites"]["seed"] != "all"]
    parts = [one, one.assign(seed=1, accuracy=0.3)]
    if pooled:
        parts.append(one.assign(seed="all", accuracy=0.4, low=0.1, high=0.7))
    points = trade_off(tables["main"], pd.concat(parts)).points
    found = next(point for point in points if point.attack == FIRST)
    assert found.accuracy == 40.0
    assert (found.low, found.high) == ((10.0, 70.0) if pooled else (None, None))
    assert found.each == [50.0, 30.0]


def test_costs_are_shares_of_the_plain_network(tables: dict[str, pd.DataFrame]) -> None:
    costs = trade_off(tables["main"], energy=tables["energy"]).costs
    assert next(iter(costs)) == "BitOPs, % of FP32; overheads counted"
    by_network = costs["BitOPs, % of FP32; overheads counted"]
    assert by_network == {
        "pgd_at/none": 100.0, "pgd_at/topk_50": 50.0, "pgd_at/nm_2_4": 110.0, "standard/none": 100.0,
    }  # fmt: skip
    assert costs["modelled time on cpu, %"]["pgd_at/none"] == 150.0
    assert costs["modelled energy on npu, %; exact outputs in 8 bits"]["pgd_at/none"] == 75.0
    before = trade_off(tables["main"], energy=tables["energy"].drop(columns="preset")).costs
    assert before["modelled energy, %; exact outputs in 8 bits"]["pgd_at/none"] == 75.0
    assumed = [cost for cost in costs if "as if in" in cost]
    assert len(assumed) == 3  # those without overheads alone differ from what was evaluated


def test_a_cost_that_is_unknown_is_not_offered(tables: dict[str, pd.DataFrame]) -> None:
    main = tables["main"].assign(latency_npu=None)
    main.loc[0, "latency_cpu"] = None
    costs = trade_off(main).costs
    assert "modelled time on npu, %" not in costs
    assert "pgd_at/none" not in costs["modelled time on cpu, %"]


def test_the_committed_tables_of_the_default_run() -> None:
    main, suites, energy = (read_csv(REFERENCE / f"{n}.csv") for n in ("main", "suites", "energy"))
    found = trade_off(main, suites, energy)
    assert len(found.names) == len(main)
    suites = suites[suites["seed"] == "all"]
    row = suites.query("attack == 'all attacks' and defence == 'topk_50' and norm == 'linf'")
    least = row[(row["base"] == "pgd_at") & (row["n"] == row["n"].max())]["accuracy"].item()
    first = attacks(found.points)[0]
    point = next(p for p in found.points if p.attack == first and p.network == "pgd_at/topk_50")
    assert point.accuracy == pytest.approx(100 * least, abs=0.01)
    title = titles_among(main.columns)[-1].removesuffix(" any")
    assert f"pgd_at: {title}, worst point tried, L∞ 76.5/255" in attacks(found.points)
