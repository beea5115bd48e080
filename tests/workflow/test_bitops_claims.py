"""Figures of BitOPs and the conventions that would give them."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripts import script_named

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("bitops_claims")


@pytest.fixture(scope="module")
def table(script: Any) -> pd.DataFrame:
    found: pd.DataFrame = pd.read_csv(script.TABLE)
    return found


def test_the_table_is_what_is_counted(script: Any, table: pd.DataFrame) -> None:
    plain = script.shapes(*script.NETWORKS["resnet18"])
    counted = pd.DataFrame(script.conventions(plain, 0.826))
    kept = table[table["claim"] == "bitops_82_6"][[*counted.columns]].reset_index(drop=True)
    counted["gives"] = counted["gives"].replace("", None)
    pd.testing.assert_frame_equal(kept, counted, check_dtype=False, rtol=1e-6)


def test_the_share_that_is_needed_gives_the_figure(script: Any) -> None:
    """Counted again by injecting at that share, not along the line."""
    plain = script.shapes(*script.NETWORKS["resnet18"])
    rows = [r for r in script.conventions(plain, 0.826) if r["share"] and 0.01 < r["share"] < 0.99]
    assert len(rows) > 20
    for row in rows[::7]:
        saved = script._saved(
            plain, row["ratio"], row["approximation_bits"], row["exact_bits"], row["share"]
        )
        found = script._of(saved[row["baseline"]], row["overheads"] == "counted")
        assert found == pytest.approx(0.826, abs=1e-6)


def test_no_more_is_saved_than_the_limit(table: pd.DataFrame) -> None:
    for share in ("10", "20", "50"):
        assert (table[f"at_{share}"] < table[f"limit_{share}"]).all()
    same = table[(table["exact_bits"] == 32) & (table["baseline"] == "fp32")]
    assert same["limit_50"].unique().tolist() == [0.5]
    assert same["limit_10"].unique().tolist() == [0.9]
    half = same[same["claim"] != "bitops_39_5"]
    assert (half["claimed"] > half["limit_50"]).all()
    assert half["gives"].isna().all()


def test_what_is_said_to_give_a_figure_does(table: pd.DataFrame) -> None:
    given = table.dropna(subset=["gives"])
    assert set(given["claim"]) == {"bitops_82_6", "bitops_91_6", "bitops_39_5"}
    for _, row in given.iterrows():
        for share in row["gives"].split(", "):
            assert abs(row[f"at_{share.removesuffix('%')}"] - row["claimed"]) <= 0.005
