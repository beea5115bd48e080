from pathlib import Path

import pytest
from page_cases import asked, page_tables

from nenni.core.errors import UserError
from nenni.core.io import write_csv
from nenni.run.job import Job
from nenni.run.stages.page import run

FIGURE = Path(__file__).parents[4] / "results" / "reference" / "mnist5k" / "attack_suite.png"


def job(folder: Path, png: bytes) -> Job:
    """A page of a main table and one figure."""
    table, figure = folder / "main.csv", folder / "attack_suite.png"
    write_csv(table, page_tables()["main"])
    figure.write_bytes(png)
    inputs = {"table/main": [table], "figure/attack_suite": [figure]}
    return Job("page", asked(), inputs, {"page": folder / "index.html"})


def test_a_figure_stands_with_what_its_plugin_says_of_it(tmp_path: Path) -> None:
    assert run(job(tmp_path, FIGURE.read_bytes())).endswith(" MB")
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<img src="data:image/png;base64,' in html
    assert 'alt="Accuracy under every attack of a suite, and under all of them."' in html


@pytest.mark.parametrize("damage", [b"", b"no picture", FIGURE.read_bytes()[:2000]])
def test_a_damaged_figure_is_told_with_its_name(tmp_path: Path, damage: bytes) -> None:
    with pytest.raises(UserError, match=r"attack_suite\.png: is damaged \(.*\); delete it and run"):
        run(job(tmp_path, damage))
