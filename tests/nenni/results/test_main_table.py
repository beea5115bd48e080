"""The main table, from small tables."""

import pandas as pd
import pytest
from table_cases import COLUMNS, EPS

from nenni.results.main_table import display, main_table


@pytest.fixture
def main(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return main_table(
        tables["accuracy"], tables["reductions"], tables["latency"], "pgd", COLUMNS, EPS, "linf"
    )


def test_main_table_reads_each_base_at_its_eps(main: pd.DataFrame) -> None:
    table = main.set_index(["base", "defence"])
    assert len(table) == 4
    row = table.loc[("pgd_at", "topk_50")]
    assert row["clean"] == pytest.approx(0.9)
    assert row["pgd_20"] == pytest.approx(0.3)
    assert row["pgd_20_low"] == pytest.approx(0.25)
    assert row["pgd_20_seeds"] == "0:0.3000 1:0.3000"
    assert table.loc[("standard", "none"), "pgd_20"] == pytest.approx(0.6)
    assert row["bitops_int8_without"] == pytest.approx(0.4)
    assert row["bitops_fp32_with"] == pytest.approx(-0.1)
    assert row["latency_cpu"] == pytest.approx(1.5)


def test_main_table_for_the_eye(main: pd.DataFrame) -> None:
    shown = display(main, list(COLUMNS))
    row = shown.iloc[1]
    assert row["eps"] == "8/255"
    assert row["pgd_20"] == "30.0% [25.0, 35.0]"
    assert row["BitOPs vs FP32"] == "-40% / +10%"
    assert row["vs INT8*"] == "-90% / +10%"
    assert row["time cpu"] == "1.50x"


def test_a_time_that_a_platform_cannot_tell_is_none(main: pd.DataFrame) -> None:
    """As where it has no multipliers of the width that a layer is evaluated at."""
    shown = display(main.assign(latency_cpu=float("nan")), list(COLUMNS))
    assert set(shown["time cpu"]) == {"-"}
