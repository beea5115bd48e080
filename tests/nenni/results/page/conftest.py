"""The tables of a run, a page made of them, and a browser to look at it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from page_cases import about_default, page_tables
from playwright.sync_api import Browser, Error, sync_playwright

from nenni.results.page.page import page
from nenni.results.page.pictures import picture

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ALONE = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""What keeps a browser from the network, and from what a container does not have."""
FIGURE = Path(__file__).parents[4] / "results" / "reference" / "cifar10" / "attack_suite.png"


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser without a window."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=found, args=list(ALONE))
        except Error as error:
            pytest.skip(f"{found} does not start here: {error.message.splitlines()[0]}")
        yield started
        started.close()
