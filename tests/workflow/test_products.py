"""What the last rules make of a finished run."""

import io
import re

import pandas as pd
import pytest
from workflow_project import Project


def table(results: dict[str, bytes], name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(results[f"tiny/tables/{name}.csv"]))


def test_the_page_of_a_run_has_what_the_run_made(first_results: dict[str, bytes]) -> None:
    html = first_results["tiny/index.html"].decode()
    assert len(html) < 3_000_000
    for name in ("main", "claims", "suites", "diagnostics", "accuracy", "paired", "energy"):
        assert f'id="table-{name}"' in html
    figures = [name for name in first_results if name.endswith(".png")]
    assert html.count("data:image/png") == len(figures) > 0
    main = table(first_results, "main")
    rows = re.search(r'id="table-main".*?<tbody>(.*?)</tbody>', html, re.S)
    assert rows is not None
    assert rows[1].count("<tr>") == len(main)
    for accuracy in main["pgd"]:
        assert f"{100 * accuracy:.1f} %" in rows[1]


def test_the_reports_first_page_says_where_it_is(finished: Project) -> None:
    page = finished.folder / "workflow" / "report" / "workflow.rst"
    assert "results/<run>/index.html" in page.read_text()
    assert (finished.folder / "results" / "tiny" / "index.html").exists()


@pytest.mark.parametrize("name", ["accuracy", "paired"])
def test_every_accuracy_has_its_norm(first_results: dict[str, bytes], name: str) -> None:
    found = table(first_results, name)
    assert found["norm"].notna().all()
    ddn = found["evaluation"].str.startswith("few_ddn")
    assert ddn.any() == (name == "accuracy")
    assert (found["norm"] == ddn.map({True: "l2", False: "linf"})).all()
