"""The pages of a card and of a comparison in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_cases import CONTRAST, NO_REQUEST, Watched
from card_cases import MASKED, diagnosis, small_card
from playwright.sync_api import Browser, expect

from nenni.cards.card_page import card_page
from nenni.cards.compare import compare
from nenni.cards.comparison_page import comparison_page

PLAIN = small_card(name="plain")
NOISY = small_card(
    {"pgd_20": "1000000000", "square": "1110000000"},
    name="noisy",
    diagnosis=diagnosis(MASKED, "fail"),
)
MARKS = "#chart .mark-symbol.role-mark path"
COUNTS = {"card": 4, "comparison": 8}


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cards")
    pages = {
        "card": card_page(NOISY, "card.json"),
        "comparison": comparison_page(compare(PLAIN, NOISY)),
    }
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture(params=["card", "comparison"])
def opened(
    browser: Browser, written: dict[str, Path], request: pytest.FixtureRequest
) -> Iterator[tuple[str, Watched]]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    watched = Watched(context.new_page())
    watched.page.goto(written[request.param].as_uri())
    expect(watched.page.locator("th[aria-sort], th .dt-column-order").first).to_be_visible()
    yield request.param, watched
    context.close()


def test_nothing_is_asked_for_and_nothing_goes_wrong(opened: tuple[str, Watched]) -> None:
    name, watched = opened
    expect(watched.page.locator(MARKS)).to_have_count(COUNTS[name])
    watched.page.mouse.wheel(0, 4000)
    watched.page.wait_for_timeout(200)
    assert watched.said == []
    assert watched.asked
    assert all(url.startswith(NO_REQUEST) for url in watched.asked)


def test_a_mark_tells_its_numbers_and_a_table_sorts(opened: tuple[str, Watched]) -> None:
    name, watched = opened
    page = watched.page
    page.locator(MARKS).first.hover()
    for told in ("noisy" if name == "card" else "plain", "no attack", "90.0", "95 % interval"):
        expect(page.locator("#vg-tooltip-element")).to_contain_text(told)
    table = "#table-attacks" if name == "card" else "#table-paired"
    head = page.locator(f"{table} th").nth(1)
    cells = page.locator(f"{table} tbody td:nth-child(2)")
    head.click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    values = [float(text.partition(" ")[0]) for text in cells.all_inner_texts()]
    assert values == sorted(values)
    assert len(values) == 4


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 768, 1440])
@pytest.mark.parametrize("name", ["card", "comparison"])
def test_it_fits_and_is_read_in_every_width(
    browser: Browser, written: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 812},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto(written[name].as_uri())
    expect(page.locator(MARKS)).to_have_count(COUNTS[name])
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#chart svg").bounding_box()["width"] <= width  # type: ignore[index]
    seen = page.locator(".answers").bounding_box()
    assert seen is not None
    assert seen["y"] + seen["height"] < 812  # the three answers are on the first screen
    text = (".run", "h1", ".answers h2", ".answers p", ".answers .badge.bad", "figcaption", "td",
            "th", "#chart text")  # fmt: skip
    found = {name: page.locator(name).first.evaluate(CONTRAST) for name in text}
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}
    context.close()


@pytest.mark.parametrize("name", ["card", "comparison"])
def test_without_javascript_all_of_it_is_there(
    browser: Browser, written: dict[str, Path], name: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(written[name].as_uri())
    assert page.locator(MARKS).count() == COUNTS[name]
    assert page.locator("table.data tbody tr").count() > 4
    assert page.locator(".answers section").count() == 3
    assert page.get_by_text("not to be believed").first.is_visible()
    context.close()
