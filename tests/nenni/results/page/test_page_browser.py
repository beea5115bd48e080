"""The page in a real browser: what a reader sees, clicks and chooses."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_cases import CONTRAST, NO_REQUEST, Watched
from playwright.sync_api import Browser, expect

MARKS = "#chart .mark-symbol.role-mark path"


@pytest.fixture
def opened(browser: Browser, written: Path) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    watched = Watched(context.new_page())
    watched.page.goto(written.as_uri())
    expect(watched.page.locator("select[name=attack]")).to_be_visible()
    yield watched
    context.close()


def test_nothing_is_asked_for_and_nothing_goes_wrong(opened: Watched) -> None:
    opened.page.locator("select[name=cost]").select_option(index=1)
    opened.page.mouse.wheel(0, 4000)
    opened.page.wait_for_timeout(200)
    assert opened.said == []
    assert opened.asked
    assert all(url.startswith(NO_REQUEST) for url in opened.asked)


def test_even_a_script_of_the_page_could_fetch_nothing(opened: Watched) -> None:
    """The policy, not chance, keeps the page to itself."""
    fetched = "fetch('https://example.org').then(() => 'fetched', () => 'refused')"
    assert opened.page.evaluate(fetched) == "refused"
    assert all(url.startswith(NO_REQUEST) for url in opened.asked)
    opened.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
    )
    assert opened.page.evaluate("window.ran") is None


@pytest.mark.parametrize(
    ("title", "before", "rising"),
    [
        (
            "BitOPs against FP32, with overheads",
            ["0.0 %", "-50.0 %", "+10.0 %", "0.0 %"],
            ["-50.0 %", "0.0 %", "0.0 %", "+10.0 %"],
        ),
        (
            "fgsm",
            ["30.0 %", "5.0 %", "100.0 %", "30.0 %"],
            ["5.0 %", "30.0 %", "30.0 %", "100.0 %"],
        ),
    ],
)
def test_a_table_is_sorted_by_click_and_by_key(
    opened: Watched, title: str, before: list[str], rising: list[str]
) -> None:
    page = opened.page
    head = page.locator("#table-main th", has_text=title).first
    place = int(head.evaluate("th => th.cellIndex")) + 1
    cells = page.locator(f"#table-main tbody td:nth-child({place})")
    assert [text.partition(" [")[0] for text in cells.all_inner_texts()] == before
    head.click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(cells).to_contain_text(rising)
    head.locator("[tabindex='0']").press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(cells).to_contain_text(rising[::-1])
    head.locator("[tabindex='0']").press("Enter")
    expect(cells).to_contain_text(before)


def test_a_table_is_filtered_by_words_in_any_order(opened: Watched) -> None:
    page = opened.page
    box = page.locator("section[aria-labelledby=table-suites-title]").get_by_label("Filter")
    rows = page.locator("#table-suites tbody tr")
    everything = rows.count()
    box.fill("topk_50 pgd_at")
    expect(rows).not_to_have_count(everything)
    assert rows.count() > 1
    assert all({"topk_50", "pgd_at"} <= set(row.split()) for row in rows.all_inner_texts())
    box.fill("no such word")
    expect(rows).to_have_text(["No row has all of these words."])
    box.fill("")
    expect(rows).to_have_count(everything)


def test_the_picture_has_its_points_and_heeds_what_is_chosen(opened: Watched) -> None:
    page = opened.page
    marks = page.locator(MARKS)
    expect(marks).to_have_count(3)
    first = marks.evaluate_all("marks => marks.map(m => m.getAttribute('aria-label'))")
    page.locator("select[name=attack]").select_option(label="standard: clean images")
    expect(marks).to_have_count(1)
    assert "accuracy (%): 90" in (marks.first.get_attribute("aria-label") or "")
    page.locator("select[name=attack]").select_option(index=0)
    expect(marks).to_have_count(3)
    assert marks.evaluate_all("marks => marks.map(m => m.getAttribute('aria-label'))") == first
    at = marks.first.get_attribute("transform")
    page.locator("select[name=cost]").select_option(index=1)
    expect(marks.first).not_to_have_attribute("transform", at or "")


def test_a_mark_tells_its_numbers_when_pointed_at(opened: Watched) -> None:
    opened.page.locator("select[name=attack]").select_option(label="pgd_at: pgd_20, L∞ 8/255")
    opened.page.locator(MARKS).first.hover()
    hover = opened.page.locator("#vg-tooltip-element")
    for told in ("none", "95 % interval", "25.0 to 35.0", "0: 30.0, 1: 30.0", "cost (%)"):
        expect(hover).to_contain_text(told)


SIZES = [
    pytest.param(width, scheme, marks=[] if (width, scheme) == (375, "dark") else pytest.mark.slow)
    for width in (375, 800, 1440)
    for scheme in ("light", "dark")
]
"""The narrowest stands for the others in the fast set."""


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_it_fits_every_width(browser: Browser, written: Path, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 812},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto(written.as_uri())
    expect(page.locator(MARKS)).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#chart svg").bounding_box()["width"] <= width  # type: ignore[index]
    assert page.locator("#chart").bounding_box()["y"] < 812  # type: ignore[index]
    boxes = page.locator(".scroll").evaluate_all("all => all.map(box => box.scrollWidth)")
    assert max(boxes) > width  # what is wider scrolls in its box
    context.close()


TEXT = (
    ".run", "h1", ".badge.good", ".badge.partly", ".badge.bad", ".badge.open", ".reason", "figcaption",
    "select", "nav a", "th", "td", "summary", ".facts dt", "pre", "#chart text",
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(
    browser: Browser, written: Path, scheme: str
) -> None:
    """At least 4.5 to 1, level AA of the WCAG; 3 to 1 for the outline of marks."""
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(written.as_uri())
    expect(page.locator(MARKS)).to_have_count(3)
    found = {name: page.locator(name).first.evaluate(CONTRAST) for name in TEXT}
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}
    stroke = page.locator(MARKS).first.evaluate("mark => getComputedStyle(mark).stroke")
    page.evaluate("colour => document.querySelector('h1').style.color = colour", stroke)
    assert page.locator("h1").evaluate(CONTRAST) > 3
    context.close()


def test_without_javascript_all_of_it_is_there(browser: Browser, written: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(written.as_uri())
    assert page.locator("h1").inner_text().startswith("Does computing only essential neurons")
    assert page.locator("#table-main tbody tr").count() == 4
    assert page.locator(MARKS).count() == 3
    shown = page.locator("noscript").inner_text()
    assert re.match(r"Shown: pgd_at: all attacks of suite full, .*; BitOPs, % of FP32", shown)
    assert page.get_by_text("claim number 3").first.is_visible()
    context.close()


def test_the_keyboard_reaches_what_can_be_used(opened: Watched) -> None:
    page = opened.page
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.name || document.activeElement.textContent.trim()"
            )
        )
    assert reached[0] == "To the content"
    assert reached[1:3] == ["attack", "cost"]
    assert "Networks" in reached
    page.locator("details.network summary").first.press("Enter")
    assert page.locator("details.network").first.get_attribute("open") is None


def test_on_paper_nothing_is_hidden_or_cut(opened: Watched) -> None:
    page = opened.page
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator("select[name=attack]").is_visible()
    assert page.locator("#config").is_visible()
    boxes = ".scroll, .verdicts, pre"
    heights = page.locator(boxes).evaluate_all(
        "all => all.map(box => box.scrollHeight - box.clientHeight)"
    )
    assert max(heights) <= 1
