"""The pages of results are those of the committed tables, and hold no result typed by hand."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripts import script_named

from nenni.core.errors import UserError

ROOT = Path(__file__).parents[2]
OF_RESULTS = (
    "mnist5k/claims", "mnist5k/main", "mnist5k/suites", "mnist5k/persistence",
    "mnist5k/diagnostics", "mnist5k/energy", "mnist5k/sweep", "mnist_claims/claims", "mnist_claims/main",
    "mnist_claims/suites", "choices/main", "choices/controls", "choices/suites",
    "cifar10_cpu/claims", "cifar10_cpu/main", "cifar10_cpu/suites", "cifar10_cpu/persistence",
    "cifar10_cpu/sweep",
    "full_width/claims", "full_width/main", "full_width/suites", "given_weights/claims", "given_weights/main",
    "photos/claims", "photos/main", "medical/main", "medical/suites", "cost/bench",
)  # fmt: skip
OF_BENCH = (
    "autoattack/summary", "autoattack/images", "optimality", "diagnostics", "invariance",
    "evaluation_speed", "attack_speed", "attacks", "published",
)  # fmt: skip
OF_CLAIMS = ("coverage", "verdict_repeats", "bitops_claims")
OF_MACHINES = ("fingerprints", "instruction_set")
OF_PROTOCOL = ("protocol",)
OF_COST = ("cost/roofline_errors", "cost/scalesim", "cost/zigzag", "cost/plausibility")
OF_DEPLOY = (
    "deployment", "deployment_predicted", "deployment_constants", "tiles", "tiles_recall",
    "tiles_pgd_20",
    "deployment_limits", "core_rates", "deployed_accuracy", "deployed_times",
    "deployment_cpu/controls",
)  # fmt: skip
OF_POST_TRAINING = (
    "post_training/resnet20", "post_training/resnet32", "post_training/efficientnet_lite0",
    "fit_choices", "allocation", "fit_methods",
)  # fmt: skip
OF_SPEED = ("speed", "speed_parts", "launches", "run_times", "run_times_by_rule", "fgsm_rs_speed")
OF_SIZES = ("run_sizes",)
OF_TRAIN = ("training_speed",)
OF_BASELINES = ("defences_elsewhere", "baselines/suites")
OF = {
    "results": OF_RESULTS, "claims": OF_CLAIMS, "protocol": OF_PROTOCOL, "bench": OF_BENCH,
    "speed": OF_SPEED, "machines": OF_MACHINES, "cost": OF_COST,
    "deploy": OF_DEPLOY, "sizes": OF_SIZES, "post_training": OF_POST_TRAINING,
    "train": OF_TRAIN, "baselines": OF_BASELINES,
}  # fmt: skip
DOCS = ROOT / "docs"
RESULT = re.compile(r"\d(?:[\d.,]*\d)? ?(?:%|points|times|percent)")


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("result_pages")


@pytest.fixture
def tables(script: Any) -> dict[str, pd.DataFrame]:
    found: dict[str, pd.DataFrame] = script.read()
    return found


def test_they_are_up_to_date(script: Any, tables: dict[str, pd.DataFrame]) -> None:
    for file, text in script.pages(tables).items():
        assert file.read_text() == text, f"{file.name} is not what the tables say: make pages"


@pytest.mark.long
@pytest.mark.parametrize("name", [name for of in OF.values() for name in of])
def test_other_numbers_in_a_table_are_noticed(
    name: str, script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    assert set(tables) == {name for of in OF.values() for name in of}
    changed = tables[name].copy()
    if name == "mnist5k/diagnostics":
        changed["verdict"] = "fail"
    elif name == "autoattack/images":
        changed["standard"] = changed["autoattack"]
    elif name == "invariance":
        changed["differ"] += 1
    elif name == "fingerprints":
        changed.loc[1:, "sums"] = "0"
    elif name == "fgsm_rs_speed":
        changed["images_a_second"] += 1
    elif name == "cost/scalesim":
        changed["equal"] += 1
    elif name == "deployed_times":  # the page has their ratios
        changed.loc[changed["defence"] != "int8", "ours"] *= 0.9
    else:
        columns = changed.columns.difference(["eps", "ratio", "fraction", "exact"])
        numbers = changed[columns].select_dtypes("float").columns
        changed[numbers] *= 0.9
    made = script.pages(tables | {name: changed})
    told = {file for file, text in made.items() if text != file.read_text()}
    page = next(DOCS / f"{page}.md" for page, names in OF.items() if name in names)
    in_readme = name in (f"{run}/{of}" for run in ("mnist5k", "cifar10_cpu") for of in ("claims", "suites"))  # fmt: skip
    in_readme |= name == "full_width/claims"
    too = {"cost/bench": "cost.md", "run_times_by_rule": "sizes.md"}
    too["cifar10_cpu/suites"] = "baselines.md"
    also = {script.README} if in_readme else set()
    assert told == {page} | also | ({DOCS / too[name]} if name in too else set())


def test_of_every_setting_above_the_aim_the_page_says_where_its_time_goes(
    tables: dict[str, pd.DataFrame],
) -> None:
    bench, speed = script_named("_bench_tables"), tables["speed"]
    missed = (speed["forward_of_floor"] > bench.AIM) & speed["device"].str.endswith("thread")
    told = bench.injected_parts(tables["speed_parts"], speed)
    keys = ["network", "setting"]
    assert told[keys].to_numpy().tolist() == speed.loc[missed, keys].to_numpy().tolist()
    assert told.notna().all(axis=None)


def test_one_number_is_noticed(script: Any, tables: dict[str, pd.DataFrame]) -> None:
    claims = tables["mnist5k/claims"]
    here = (claims["claim"] == "pgd_20") & (claims["control"] == "none_ft")
    here &= claims["defence"] == "nm_4_8"
    assert here.sum() == 1
    claims.loc[here, "measured"] += 0.001
    made = script.pages(tables)
    assert {file for file, text in made.items() if text != file.read_text()} == {
        DOCS / "results.md", script.README,
    }  # fmt: skip


def test_words_follow_the_numbers(script: Any, tables: dict[str, pd.DataFrame]) -> None:
    claims, main = tables["mnist5k/claims"], tables["mnist5k/main"]
    here = claims["control"] == "none_ft"
    claims.loc[here, ["measured", "low", "high"]] = [0.1, 0.08, 0.12]
    claims.loc[~here, "measured"] = -0.2
    tested = claims["verdict"] != "not tested"
    claims.loc[tested, "values"] = "0:0.0500 1:0.1000 2:0.1000 3:0.1500 4:0.1000"
    claims["seeds"] = 5
    claims.loc[tested, "verdict"] = "reproduced"
    main.loc[main["defence"] == "random_50", "pgd_20"] = 1.0
    main["clean_seeds"] = "0:0.9 1:0.9 2:0.9 3:0.9 4:0.9"
    main[["bitops_fp32_with", "bitops_int8_with_assumed"]] = -0.25
    tables["mnist5k/energy"]["reduction"] = 0.5
    page, readme = (script.pages(tables)[file] for file in (DOCS / "results.md", script.README))
    for text in (page, readme):
        assert "rises by 10.0 points (8.0 to 12.0) | reproduced |" in text
        assert "dense FP32, overheads counted | 20.0 % more | reproduced |" in text
        assert "five seeds" in text
    assert "in the worst of five seeds it rises by 5.0 points" in page
    assert re.search(r"a random half\s+\d+\.\d points above\.", page)
    assert "25 % more than dense FP32" in page
    assert "50 % less than dense\n  INT8's" in page or "50 % less than dense INT8's" in page


@pytest.mark.parametrize(
    ("value", "low", "high", "told"),
    [
        (-0.1275, -0.1455, -0.11, "falls by 12.8 points (11.0 to 14.5)"),
        (0.02, -0.01, 0.05, "rises by 2.0 points (-1.0 to 5.0)"),
        (-0.02, -0.05, 0.01, "falls by 2.0 points (-1.0 to 5.0)"),
        (-0.0001, -0.01, 0.01, "stays the same (-1.0 to 1.0)"),
        (0.007, -0.0001, 0.014, "rises by 0.7 points (0.0 to 1.4)"),
        (0.1474, None, None, "rises by 14.7 points"),
    ],
)
def test_a_change_is_told_with_its_sign(
    value: float, low: float | None, high: float | None, told: str, script: Any
) -> None:
    assert script.change(value, low, high) == told


def test_the_readme_tells_the_abstracts_claims_by_the_first_arm(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    claims = tables["mnist5k/claims"]
    more = claims.assign(defence="later", measured=0.5)
    short = script._claim_tables.short(pd.concat([claims, more]))
    assert set(short["by"]) == {"`nm_4_8`"}
    assert set(short["the paper claims"]) == {
        "+14.74 points of robust accuracy under PGD-20 'compared to baseline methods'",
        "clean accuracy is maintained", "up to 91.6 % fewer BitOPs",
    }  # fmt: skip
    assert not short.duplicated(["the paper claims", "against"]).any()


def test_the_readme_tells_the_first_drafts_claim_once_for_each_control(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    files = ["cifar10_cpu/claims", "full_width/claims"]
    told = script._claim_tables.of_draft(*(tables[file] for file in files))
    pairs = ["network", "by", "against"]
    assert not told.duplicated(pairs).any()
    assert set(told["network"]) == {"resnet18 with width 16", "resnet18"}
    assert set(told["by"]) == {"`nm_4_8`", "`nm_4_8_at_8`"}
    alone = script._claim_tables.of_draft(tables[files[1]])
    assert alone["measured"].tolist() == told["measured"].tolist()[-len(alone) :]


def test_every_claim_is_told_with_its_text_its_measurement_or_why_there_is_none(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    page = script.page(tables, "results")
    for _, claim in tables["mnist5k/claims"].iterrows():
        text = str(claim["text"])
        assert f"| `{claim['claim']}` | {text} |" in page
        assert claim["reason"] in page
        assert claim["source"] in page


def test_the_seeds_of_a_row_are_told(script: Any) -> None:
    row = pd.Series({"values": "0:-0.0570 1:0.0440", "unit": "accuracy"})
    assert script._claim_tables.each_seed(row) == "-5.7 +4.4"
    row = pd.Series({"values": "0:0.4724 1:0.4724", "unit": "BitOPs"})
    assert script._claim_tables.each_seed(row) == "+47.2"
    assert script.extremes("0:-0.0570 1:0.0440 2:-0.0100") == [-0.057, 0.044]


def test_rows_over_all_seeds_stand_for_those_of_each(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    suites = tables["mnist5k/suites"].query("seed == '0'")
    every = suites.assign(seed="all", accuracy=0.123, seeds=5)
    other = {"mnist5k/suites": pd.concat([suites, suites.assign(seed=1), every])}
    page = script.page(tables | other, "results")
    assert "over five seeds; `all attacks`" in page
    assert page.count("12.3 %") > suites["attack"].nunique()


def test_of_several_bases_each_has_its_columns(
    script: Any, tables: dict[str, pd.DataFrame]
) -> None:
    table = script.attacks(tables["cifar10_cpu/suites"], "strong")
    assert {"fgsm_rs/none", "trades/none", "fgsm_rs/nm_4_8"} <= {*table.columns}
    assert "none_ft" in script.attacks(tables["mnist5k/suites"], "strong").columns


def test_no_result_is_typed_by_hand(script: Any) -> None:
    templates = sorted(DOCS.glob("*.md.jinja"))
    assert {file.name.removesuffix(".md.jinja") for file in templates} >= set(script.NAMES)
    for template in templates:
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
    lacking = {"mnist5k/main": main[main["defence"] != "topk_10"]}
    with pytest.raises(UserError, match=r"main\.csv: has no row with base pgd_at, defence topk_10"):
        script.page(tables | lacking, "results")
    suites = tables["mnist5k/suites"]
    twice = {"mnist5k/suites": pd.concat([suites, suites])}
    with pytest.raises(
        UserError, match=r"suites\.csv: has several rows with suite strong, base pgd"
    ):
        script.page(tables | twice, "results")


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
    assert script._bench_tables._interval(pd.Series([0.0] * 50)) == "0.0 (-6.0 to 6.0)"
    told = script._bench_tables._interval(pd.Series([1.0] * 5 + [0.0] * 95))
    assert told.startswith("5.0 (")
    assert " to " in told
