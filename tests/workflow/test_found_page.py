"""docs/found.md and found_runs.md say what the committed tables say, and each part of them appears with its tables."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from found_cases import HONEST, committed, controls, persistence, repair, suites
from scripts import script_named

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("found_page")


def text_of(script: Any, tables: Path) -> str:
    """Both pages."""
    return "\n".join(script.pages(tables).values())


def test_they_are_up_to_date(script: Any) -> None:
    for file, told in script.pages(script.TABLES).items():
        assert file.read_text(encoding="utf-8") == told, f"{file.name}: make pages"


def test_without_any_table_it_says_what_is_prepared(script: Any, tmp_path: Path) -> None:
    text = text_of(script, tmp_path)
    assert "config/config.yaml" in text
    assert "### " not in text
    assert text.count("\n| ---") == 1  # of the runs, of which there is none
    assert "## Can training" not in text
    assert "## Where does the saving" not in text
    assert "## What would change our mind" in text


@pytest.mark.parametrize("run", ["mnist5k", "mnist_claims", "cifar10_cpu", "paper_cifar10"])
def test_a_run_appears_with_its_tables(script: Any, tmp_path: Path, run: str) -> None:
    """On the base and methods of another config as far as that has them."""
    config = script_named("_found").RUNS[run]
    base = "pgd_at" if run.startswith("mnist") else "fgsm_rs"
    tables = {"controls": controls(base=base), "suites": suites(HONEST, HONEST).assign(base=base)}
    if run.startswith("paper"):
        tables["controls"]["measure"] = tables["controls"]["measure"].replace("least of strong", "least of full")  # fmt: skip
        tables["suites"]["suite"] = "full"
    text = text_of(script, committed(tmp_path, run, **tables))
    assert f"\n## Run `{run}`" in text
    assert f"### `{base}/topk_50` under `" in text
    assert f"](../config/{config}.yaml)" not in text
    assert "as many neurons exact, chosen at random" in text


def test_a_run_without_training_appears_beside_the_network_as_it_was_given(
    script: Any, tmp_path: Path
) -> None:
    names = {"none_ft": "none", "topk_50": "nm_4_8", "random_50": "topk_50"}
    tables = {
        "controls": controls(base="resnet18").replace({"control": names, "defence": names}),
        "suites": suites(HONEST, HONEST).assign(base="resnet18").replace({"defence": names}),
    }
    text = text_of(script, committed(tmp_path, "full_width", **tables))
    assert "**is worse than** the network as it was given: -10.0" in text
    assert "So it does not withstand them as well as the network as it was given:" in text
    assert "the same training without noise: " not in text


@pytest.mark.parametrize("lacking", ["controls", "suites", "comparison"])
def test_a_run_without_one_of_its_tables_does_not(
    script: Any, tmp_path: Path, lacking: str
) -> None:
    committed(tmp_path)
    (tmp_path / "mnist5k" / f"{lacking}.csv").unlink()
    assert "Run `mnist5k`" not in text_of(script, tmp_path)


WORDS = {
    "better": ((0.1, 0.05, 0.2), "**is better than** the same training without noise: +10.0"),
    "worse": ((-0.1, -0.2, -0.05), "**is worse than** the same training without noise: -10.0"),
    "neither": ((0.1, -0.05, 0.2), "**cannot be told apart from** the same training"),
    "at zero": ((0.1, 0.0, 0.2), "**cannot be told apart from** the same training"),
}


@pytest.mark.parametrize("case", WORDS)
def test_words_follow_the_interval(script: Any, tmp_path: Path, case: str) -> None:
    (value, low, high), told = WORDS[case]
    table = controls(difference=value, low=low, high=high)
    text = text_of(script, committed(tmp_path, controls=table))
    assert told in text
    others = [words for _, words in WORDS.values() if words[:12] != told[:12]]
    assert not any(words in text for words in others)


def test_in_short_is_of_all_comparisons_and_the_first(script: Any, tmp_path: Path) -> None:
    (first, *_) = script.pages(committed(tmp_path)).values()
    assert "- [`mnist5k`](found_runs.md#run-mnist5k): `pgd_at/topk_50` under all attacks of `strong` at eps 76.5/255 **is worse than**" in first  # fmt: skip
    assert "comparisons" not in first.partition("## Does selective noise")[0]
    assert "`pgd_at/topk_50`: clean worse than `none_ft`, `random_50`; PGD-20 worse than" in first
    for name in ("controls", "suites"):  # a second base, of the same numbers
        file = tmp_path / "mnist5k" / f"{name}.csv"
        table = pd.read_csv(file)
        pd.concat([table, table.assign(base="standard")]).to_csv(file, index=False)
    (first, *_) = script.pages(tmp_path).values()
    assert "better than the same training without noise in none of two comparisons, worse in two, and cannot be told apart in none. `pgd_at/topk_50` under" in first  # fmt: skip
    (tmp_path / "mnist5k" / "controls.csv").write_text(
        controls().query("control != 'none_ft'").to_csv(index=False)
    )
    (first, *_) = script.pages(tmp_path).values()
    assert "(found_runs.md#run-mnist5k): `pgd_at" not in first
    assert "under all attacks of a suite a method" not in first


def test_what_is_lost_stands_in_a_row(script: Any, tmp_path: Path) -> None:
    (first, *_) = script.pages(committed(tmp_path)).values()
    row = "| 50.0 % (lost 30.0) | `none_ft`: 78.0 % (lost 2.0) | worse, -10.0 (-20.0 to -5.0) | `soft_mask` |"  # fmt: skip
    assert row in first


def test_attacks_are_told_by_the_part_that_they_get_around(script: Any, tmp_path: Path) -> None:
    text = text_of(script, committed(tmp_path))
    assert "`pgd_20` leaves 80.0 % and all attacks together 50.0 %: 30.0 points are lost" in text
    assert "gets furthest by itself is `soft_mask`, by a soft mask in place of the jumps" in text
    assert "break 20.0 points more than `pgd_20`; of `none_ft` 2.0 points more." in text
    assert "an attacker breaks 10.0 points more than by any loss" in text
    assert "neither masks nor roundings, breaks 10.0 points less than" in text
    assert "search by the logits alone breaks no more than" in text


def test_chance_appears_with_its_table(script: Any, tmp_path: Path) -> None:
    assert "### Networks that draw" not in text_of(script, committed(tmp_path))
    persistence().to_csv(tmp_path / "mnist5k" / "persistence.csv", index=False)
    text = text_of(script, tmp_path)
    assert "| `pgd_at/random_50` | as many neurons exact, chosen at random |" in text
    assert "| 50.0 % | 25.0 % |" in text


ANSWERS: dict[str, tuple[dict[str, tuple[str, float]], str]] = {
    "yes": ({"kept": ("good", 0.5), "lost": ("bad", 0.5)}, "repaired by `kept`"),
    "too dear": ({"kept": ("good", 0.3)}, "none of the one settings is a repair"),
    "lost": ({"kept": ("bad", 0.5)}, "none of the one settings is a repair"),
    "both": ({"dear": ("good", 0.1), "lost": ("bad", 0.5)}, "none of the two settings is a repair"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_the_repair_appears_with_its_table(script: Any, tmp_path: Path, case: str) -> None:
    settings, told = ANSWERS[case]
    assert "## Can training" not in text_of(script, committed(tmp_path))
    repair(**settings).to_csv(tmp_path / "repair.csv", index=False)
    text = text_of(script, tmp_path)
    assert "## Can training on the attacks that break it repair it?" in text
    assert text.count(told) == 2  # in short, and under the table
    assert "2.0x" in text


def test_the_saving_appears_with_both_tables(script: Any, tmp_path: Path) -> None:
    shutil.copy(script.TABLES / "saving.csv", tmp_path)
    assert "## Where does the saving" not in text_of(script, tmp_path)
    shutil.copy(script.TABLES / "saving_verdict.csv", tmp_path)
    text = text_of(script, tmp_path)
    assert "## Where does the saving come from?" in text
    assert "**Modelled on `server_cpu`**" in text
