import re
from base64 import b64decode
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from page_cases import HOSTILE, about_default, claims, page_tables
from run_cases import DIGITS

from nenni.core.io import read_csv
from nenni.results.page.page import LARGEST, page
from nenni.results.page.pictures import picture
from nenni.run.config_file import load_config

Tables = dict[str, pd.DataFrame]
REFERENCE = Path(__file__).parents[4] / "results" / "reference"
QUESTION = "Does computing only essential neurons exactly"
VOID = {"meta", "link", "br", "img", "path", "line", "input"}


class Reader(HTMLParser):
    """Checks that elements are closed in order, and keeps ids, headings, tags and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.levels: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.ids += [str(found["id"])] if "id" in found else []
        self.levels += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


def test_it_is_one_sound_document_with_everything_in_it(written: Path) -> None:
    html = written.read_text(encoding="utf-8")
    found = Reader(html)
    assert len(html.encode()) <= LARGEST
    assert len(found.ids) == len(set(found.ids))
    assert found.levels[0] == 1
    assert found.levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(found.levels, found.levels[1:], strict=False))
    for word in (QUESTION, "claim number 5", "reason number 0", "not derivable", "topk_50",
                 "Modelled energy per layer", "make reproduce CONFIG=config/mnist5k.yaml",
                 "the gradients mislead", "Passed: black box", "What each attack leaves"):  # fmt: skip
        assert word in found.text, word
    images = [attributes for tag, attributes in found.tags if tag == "img"]
    assert [image["alt"] for image in images] == ["What each attack leaves"]


def test_all_that_it_names_is_in_it_or_beside_it(written: Path) -> None:
    found = Reader(written.read_text(encoding="utf-8"))
    refers = [
        str(attributes[key])
        for _, attributes in found.tags
        for key in ("href", "src", "aria-labelledby", "aria-describedby")
        if key in attributes
    ]
    for name in refers:
        local = name.startswith(("data:", "tables/", "figures/"))
        assert local or name.removeprefix("#") in found.ids, name


def test_it_is_the_same_each_time(tables: Tables) -> None:
    assert page(tables, [], about_default()) == page(tables, [], about_default())


def test_the_config_on_it_is_the_runs(tmp_path: Path, written: Path) -> None:
    html = written.read_text(encoding="utf-8")
    found = re.search(r'<pre tabindex="0" id="config">(.*?)</pre>', html, re.S)
    assert found is not None
    file = tmp_path / "again.yaml"
    file.write_text(unescape(found[1]))
    assert load_config(file) == load_config(DIGITS)


def test_text_of_a_run_is_text_wherever_it_stands(tables: Tables) -> None:
    """In claims, notes, verdicts, names, the config and the facts."""
    tables["claims"] = claims(text=HOSTILE, reason=HOSTILE, comparator=HOSTILE, source=HOSTILE)
    tables["claims"]["verdict"] = HOSTILE
    tables["claims"] = tables["claims"].rename(columns={"certainty": HOSTILE})
    tables["suites"] = tables["suites"].assign(notes=HOSTILE, attack=HOSTILE, suite=HOSTILE)
    tables["diagnostics"] = tables["diagnostics"].assign(meaning=HOSTILE, verdict=HOSTILE)
    for name in ("main", "operations", "reductions", "latency", "fit"):
        tables[name] = tables[name].assign(defence=tables[name]["defence"] + HOSTILE)
    about = about_default()
    about.bases["what it is"] = HOSTILE
    about = replace(about, run=HOSTILE, config=HOSTILE, facts=[(HOSTILE, HOSTILE)])
    png = (REFERENCE / "cifar10_cpu" / "attack_suite.png").read_bytes()
    html = page(tables, [picture("a", HOSTILE, HOSTILE, png)], about)
    found = Reader(html)
    assert [tag for tag, _ in found.tags].count("script") == 4
    assert not any("onclick" in attributes for _, attributes in found.tags)
    assert "<script>alert" not in html
    assert found.text.count(HOSTILE) > 30


OPTIONAL = (
    "claims", "suites", "persistence", "paired", "accuracy", "fit", "sweep", "diagnostics", "latency", "energy",
    "operations", "reductions", "errors", "sensitivities",
)  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("missing", OPTIONAL)
def test_a_table_that_is_not_there_leaves_its_part_out(tables: Tables, missing: str) -> None:
    del tables[missing]
    found = Reader(page(tables, [], about_default()))
    assert f"table-{missing}" not in found.ids
    assert f"tables/{missing}.csv" not in [attributes.get("href") for _, attributes in found.tags]


def test_what_is_missing_is_said(tables: Tables) -> None:
    found = Reader(page({"main": tables["main"]}, [], about_default())).text
    for told in ("judges no claim", "did not look for masked gradients", "has no suites",
                 "no table of costs per layer"):  # fmt: skip
        assert told in found
    whole = Reader(page(tables, [], about_default())).text
    assert "did not look for" not in whole
    assert "has no suites" not in whole


def test_a_table_without_rows_is_left_out(tables: Tables) -> None:
    tables["persistence"] = tables["persistence"].iloc[:0]
    assert "table-persistence" not in Reader(page(tables, [], about_default())).ids


def test_what_would_make_it_too_large_is_named_with_its_file(tables: Tables) -> None:
    png = (REFERENCE / "mnist5k" / "attack_suite.png").read_bytes()
    pictures = [picture(f"drawn_{i}", f"Drawn {i}", "A picture", png) for i in range(4)]
    whole = len(page(tables, pictures, about_default()).encode())
    one = whole - len(page(tables, pictures[:3], about_default()).encode())
    html = page(tables, pictures, about_default(), largest=whole - one * 3 // 2)
    assert whole - 3 * one < len(html.encode()) <= whole - one * 3 // 2
    kept, left = html.count('<details class="picture">'), html.count('">figures/drawn_')
    assert (kept, left) == (2, 2)
    assert '<a href="figures/drawn_3.png">' in html


def test_a_table_that_is_too_long_leaves_room_for_others(tables: Tables) -> None:
    del tables["accuracy"]
    room = len(page(tables, [], about_default()).encode()) + 3000
    long = pd.concat([page_tables()["accuracy"]] * 9)
    html = page(tables | {"accuracy": long}, [], about_default(), largest=room)
    found = Reader(html)
    assert len(html.encode()) <= room
    assert "table-accuracy" not in found.ids
    assert "table-energy" in found.ids
    assert '<a href="tables/accuracy.csv">' in html


def test_the_committed_tables_of_the_default_run() -> None:
    names = ("main", "claims", "suites", "persistence", "diagnostics", "energy")
    tables = {name: read_csv(REFERENCE / "mnist5k" / f"{name}.csv") for name in names}
    pictures = [
        picture(file.stem, file.stem, "A picture", file.read_bytes())
        for file in sorted((REFERENCE / "mnist5k").glob("*.png"))
    ]
    html = page(tables, pictures, about_default())
    found = Reader(html)
    assert {f"table-{name}" for name in names} <= set(found.ids)
    assert len(html.encode()) <= LARGEST
    for text in tables["claims"]["reason"]:
        assert text in found.text
    sources = re.findall(r'src="data:image/png;base64,([^"]*)"', html)
    assert len(sources) == len(pictures)
    assert all(b64decode(source).startswith(b"\x89PNG") for source in sources)
