"""The page of a card as text: its answers, its tables, its escapes and its size."""

import re

import pytest
from card_cases import HOSTILE, MASKED, diagnosis, small_card

from nenni.cards.card_page import card_page
from nenni.cards.schema import Card

RANDOMISED = small_card({"pgd_20": "90 3"}, clean="100 50", chosen={"pgd_20": "9 1"}, scored_on=100)
BARE = small_card(
    cost=None, diagnosis=None, missing={"cost": "it has no layers", "diagnosis": "it gives labels"}
)


def text(card: Card) -> str:
    """What is read on its page."""
    html = re.sub(r"<(script|style|svg).*?</\1>", " ", card_page(card, "a.json"), flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace("\u00a0", " ").split())


@pytest.mark.parametrize(
    "card", [small_card(), RANDOMISED, BARE], ids=["plain", "randomised", "bare"]
)
def test_it_answers_three_questions_in_one_small_file(card: Card) -> None:
    html = card_page(card, "a.json")
    assert len(html.encode()) < 3_000_000
    assert html == card_page(card, "a.json")
    told = text(card)
    places = [
        told.index(question) for question in ("How robust", "Can that be", "What does it cost")
    ]
    assert places == sorted(places)
    assert f"{card.data.n} images stay right under every attack within L∞ 8/255" in told
    assert 'href="a.json"' in html


def test_the_answers_are_the_cards() -> None:
    told = text(small_card())
    assert "20.0 % of 10 images stay right" in told
    assert "20.0 % 5.7 to 51.0 %" in told
    assert "without an attack it is 90.0 %" in told
    assert "trustworthy (2 checks" in told
    assert "500 MBitOPs" in told
    assert "dense FP32: -50.0 %" in told
    assert "small_cnn (hidden 32)" in told


def test_a_check_that_failed_is_told_first() -> None:
    told = text(small_card(diagnosis=diagnosis(MASKED, "fail")))
    assert "Can that be believed? no not to be believed" in told


def test_a_randomised_network_tells_of_tries_and_layers() -> None:
    told = text(RANDOMISED)
    assert "who may try 100 times leaves 10.0 %" in told
    assert "2, 5 " in told
    assert '"samples": 10' in told.replace("&#34;", '"')
    assert "Modelled time against FP32: the same on server_cpu." in told


def test_what_is_missing_is_said() -> None:
    told = text(BARE)
    assert "Not counted: it has no layers" in told
    assert "Not diagnosed: it gives labels" in told


def test_names_are_text_wherever_they_stand() -> None:
    card = small_card({HOSTILE: "1111111111"}, name=HOSTILE, data__name=HOSTILE,
                      diagnosis=diagnosis(HOSTILE, "fail"))  # fmt: skip
    html = card_page(card, HOSTILE)
    assert "<script>alert" not in html
    assert "<b onclick" not in html
    assert html.count("</style>") == 1
