"""The tables of a run, a page made of them, and a browser to look at it."""

from pathlib import Path

import pandas as pd
import pytest
from browser_cases import browser  # noqa: F401 - a fixture
from page_cases import about_default, page_tables

from nenni.results.page.page import page
from nenni.results.page.pictures import picture

FIGURE = Path(__file__).parents[4] / "results" / "reference" / "cifar10_cpu" / "attack_suite.png"


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    """Name -> table."""
    return page_tables()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of small tables, as a file."""
    file = tmp_path_factory.mktemp("page") / "index.html"
    drawn = picture("attack_suite", "attack suite", "What each attack leaves", FIGURE.read_bytes())
    tables = page_tables()
    tables["main"]["fgsm"] = [0.3, 0.05, 1.0, 0.3]  # whose texts sort otherwise
    file.write_text(page(tables, [drawn], about_default()), encoding="utf-8")
    return file
