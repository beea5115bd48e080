"""The pages of results are those of the committed tables, and hold no result typed by hand."""

import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nenni.core.errors import UserError

ROOT = Path(__file__).parents[2]
OF_RESULTS = (
    "mnist5k/claims", "mnist5k/main", "mnist5k/suites", "mnist5k/persistence",
    "mnist5k/diagnostics", "mnist5k/energy",
    "cifar10/main", "cifar10/suites", "cifar10/base", "cost/bench",
)  # fmt: skip
OF_BENCH = (
    "autoattack/summary", "autoattack/images", "optimality", "diagnostics", "invariance",
    "evaluation_speed", "attack_speed", "attacks", "published",
)  # fmt: skip
OF_MACHINES = ("fingerprints",)
OF_SPEED = ("speed", "speed_parts", "launches", "run_times", "fgsm_rs_speed")
RESULT = re.compile(r"\d(?:[\d.,]*\d)? ?(?:%|points|times|percent)")


@pytest.fixture(scope="module")
def script() -> Any:
    sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
    try:
        import result_pages
    finally:
        sys.path.pop(0)
    return result_pages


@pytest.fixture
def tables(script: Any) -> dict[str, pd.DataFrame]:
    found: dict[str, pd.DataFrame] = script.read()
    return found


def test_they_are_up_to_date(script: Any, tables: dict[str, pd.DataFrame]) -> None:
    for file, text in script.pages(tables).items():
        assert file.read_text() == text, f"{file.name} is not what the tables say: make pages"


@pytest.mark.parametrize("name", [*OF_RESULTS, *OF_BENCH, *OF_SPEED, *OF_MACHINES])
def test_other_numbers_in_a_table_are_noticed(
    name: str, script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    assert set(tables) == {*OF_RESULTS, *OF_BENCH, *OF_SPEED, *OF_MACHINES}
    changed = tables[name].copy()
    if name == "mnist5k/diagnostics":
        changed["verdict"] = "pass"
    elif name == "autoattack/images":
        changed["standard"] = changed["autoattack"]
    elif name == "invariance":
        changed["differ"] += 1
    elif name == "fingerprints":
        changed.loc[1:, "sums"] = "0"
    elif name == "fgsm_rs_speed":
        changed["images_a_second"] += 1
    else:
        columns = changed.columns.difference(["eps"])
        numbers = changed[columns].select_dtypes("float").columns
        changed[numbers] *= 0.9
    made = script.pages(tables | {name: changed})
    told = {file for file, text in made.items() if text != file.read_text()}
    page = script.PAGE if name in OF_RESULTS else script.BENCH if name in OF_BENCH else script.SPEED
    page = script.MACHINES if name in OF_MACHINES else page
    in_readme = name in ("mnist5k/claims", "mnist5k/suites")
    assert told == ({page, script.README} if in_readme else {page})


def test_one_number_is_noticed(script: Any, tables: dict[str, pd.DataFrame]) -> None:
    claims = tables["mnist5k/claims"]
    here = (claims["claim"] == "robust_gain_pgd_20") & (claims["against"] == "none_ft")
    claims.loc[here, "measured"] += 0.001
    made = script.pages(tables)
    assert {file for file, text in made.items() if text != file.read_text()} == {
        script.PAGE, script.README,
    }  # fmt: skip


def test_words_follow_the_numbers(script: Any, tables: dict[str, pd.DataFrame]) -> None:
    claims, main = tables["mnist5k/claims"], tables["mnist5k/main"]
    columns = ["measured", "low", "high", "worst_seed", "best_seed"]
    here = claims["against"] == "none_ft"
    claims.loc[here, columns] = [0.1, 0.08, 0.12, 0.05, 0.15]
    claims.loc[~here, "measured"] = -0.2
    claims["seeds"], claims["verdict"] = 5, "reproduced"
    main.loc[main["defence"] == "random_50", "pgd_20"] = 1.0
    main["clean_seeds"] = "0:0.9 1:0.9 2:0.9 3:0.9 4:0.9"
    main[["bitops_fp32_with", "bitops_int8_with_assumed"]] = -0.25
    tables["mnist5k/energy"]["reduction"] = 0.5
    page, readme = (script.pages(tables)[file] for file in (script.PAGE, script.README))
    for text in (page, readme):
        assert "rises by 10.0 points (8.0 to 12.0) | reproduced |" in text
        assert "20.0 % more, overheads counted | reproduced |" in text
        assert "five seeds" in text
    assert "in the worst of five seeds it rises by 5.0 points" in page
    assert re.search(r"a random half\s+\d+\.\d points above,", page)
    assert "25 % more than dense FP32" in page
    assert "50 % less than dense\n  INT8's" in page or "50 % less than dense INT8's" in page


@pytest.mark.parametrize(
    ("value", "low", "high", "told"),
    [
        (-0.1275, -0.1455, -0.11, "falls by 12.8 points (11.0 to 14.5)"),
        (0.02, -0.01, 0.05, "rises by 2.0 points (-1.0 to 5.0)"),
        (-0.02, -0.05, 0.01, "falls by 2.0 points (-1.0 to 5.0)"),
        (-0.0001, -0.01, 0.01, "stays the same (-1.0 to 1.0)"),
        (0.1474, None, None, "rises by 14.7 points"),
    ],
)
def test_a_change_is_told_with_its_sign(
    value: float, low: float | None, high: float | None, told: str, script: Any
) -> None:
    assert script.change(value, low, high) == told


def test_each_claim_is_told_once_and_against_its_hardest_control(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    shuffled = tables["mnist5k/claims"].iloc[::-1]
    told = script.claimed(shuffled)
    assert [claim.claim for claim in told] == [
        "robust_gain_pgd_20", "clean_accuracy_kept", "bitops_82_6", "bitops_91_6",
    ]  # fmt: skip
    hardest = ["none_ft", "none_ft", *["dense FP32, overheads counted"] * 2]
    assert [claim.against for claim in told] == hardest


def test_a_claim_that_was_not_measured_is_told_so(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    claims = tables["mnist5k/claims"]
    claims.loc[claims["claim"] == "bitops_91_6", ["measured", "against"]] = None
    assert "| up to 91.6 % fewer BitOPs | not measured |" in script.page(tables)


def test_no_result_is_typed_by_hand(script: Any) -> None:
    for template in (script.TEMPLATE, script.BENCH_TEMPLATE, script.SPEED_TEMPLATE):
        text = template.read_text()
        typed = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
        assert set(RESULT.findall(typed)) <= {"95 %"}  # of its intervals
    readme = script.README.read_text()
    typed = re.sub(r"<!-- results: \w+ -->.*?<!-- end -->|```.*?```", "", readme, flags=re.DOTALL)
    assert set(RESULT.findall(typed)) <= {"95 %"}
    assert readme.count("<!-- results: ") == 2


def test_rows_that_a_table_lacks_or_has_twice_are_named(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    main = tables["mnist5k/main"]
    lacking = {"mnist5k/main": main[main["defence"] != "alloc_50"]}
    with pytest.raises(
        UserError, match=r"main\.csv: has no row with base pgd_at, defence alloc_50"
    ):
        script.page(tables | lacking)
    suites = tables["mnist5k/suites"]
    twice = {"mnist5k/suites": pd.concat([suites, suites.assign(seed=1)])}
    with pytest.raises(UserError, match=r"suites\.csv: has several rows with base pgd_at"):
        script.page(tables | twice)


def test_a_part_of_the_readme_that_the_template_lacks_is_named(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    with pytest.raises(UserError, match="no block 'nothing'"):
        script.filled("<!-- results: nothing -->\n<!-- end -->", tables)


@pytest.mark.parametrize(
    ("kind", "verdict", "low", "judged"),
    [
        ("honest", "trustworthy", 0.0, "right"),
        ("honest", "masked", 0.0, "wrong"),
        ("honest", "weak", 0.0, "wrong"),
        ("honest", "undecided", 0.0, "undecided"),
        ("masked", "masked", 0.4, "right"),
        ("masked", "trustworthy", 0.4, "wrong"),
        ("masked", "trustworthy", 0.0, "right"),
        ("masked", "weak", 0.06, "wrong"),
        ("masked", "undecided", 0.4, "undecided"),
    ],
)
def test_a_verdict_is_right_or_wrong(
    kind: str, verdict: str, low: float, judged: str, script: Any
) -> None:
    study = pd.DataFrame([{"kind": kind, "verdict": verdict, "low": low}])
    assert script._bench_tables.judged(study)["judged"].tolist() == [judged]


def test_the_interval_of_a_difference_is_paired(script: Any) -> None:
    assert script._bench_tables._interval(pd.Series([0.0] * 50)) == "0.0 (0.0 to 0.0)"
    told = script._bench_tables._interval(pd.Series([1.0] * 5 + [0.0] * 95))
    assert told.startswith("5.0 (")
    assert " to " in told
