"""The page of a comparison as text."""

import re

from card_cases import HOSTILE, MASKED, cost, diagnosis, small_card

from nenni.cards.compare import compare
from nenni.cards.comparison_page import comparison_page
from nenni.cards.schema import Card

N = 40
PLAIN = small_card({"pgd_20": "1" * N, "fgsm": "1" * N}, clean="1" * N, name="plain_net")
NOISY = small_card(
    {"pgd_20": "0" * 20 + "1" * 20, "bpda": "0" * N}, clean="1" * N, name="noisy_net", cost=cost(0.25),
    diagnosis=diagnosis(MASKED, "fail"),
)  # fmt: skip


def text(first: Card, second: Card) -> str:
    html = comparison_page(compare(first, second))
    html = re.sub(r"<(script|style|svg).*?</\1>", " ", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace("\u00a0", " ").split())


def test_it_says_what_differs_and_what_speaks_against_it() -> None:
    told = text(PLAIN, NOISY)
    assert "noisy_net is less robust than plain_net, by 50.0 points" in told
    assert "-50.0 [" in told
    assert "100.0 % plain_net, 0.0 % noisy_net." in told  # each under all that it received
    assert "no noisy_net: not to be believed" in told
    assert "fgsm: on plain_net alone" in told
    assert "bpda: on noisy_net alone" in told
    assert "right by plain_net alone" in told
    assert "modelled time on server_cpu (µs) 1000 500 -50.0 %" in told
    assert "modelled time on systolic" not in told
    assert "BitOPs (M) 500 250 -50.0 %" in told


def test_a_randomised_network_tells_of_a_persistent_attacker() -> None:
    counts = {"pgd_20": " ".join(["20"] * N)}
    drawn = small_card(
        counts, clean=" ".join(["100"] * N), chosen={"pgd_20": " ".join(["2"] * N)}, scored_on=100,
        name="drawn",
    )  # fmt: skip
    told = text(PLAIN, drawn)
    assert "drawn draws at random: who may try 100 times leaves 10.0 %." in told
    assert "randomised, with gradients averaged over 10 draws" in told


def test_it_is_small_and_the_same_each_time() -> None:
    found = compare(PLAIN, NOISY)
    html = comparison_page(found)
    assert len(html.encode()) < 3_000_000
    assert html == comparison_page(found)


def test_two_alike_show_no_difference_and_no_doubt() -> None:
    told = text(PLAIN, PLAIN)
    assert "No difference is shown" in told
    assert "Doubts" not in told
    assert "Left out" not in told


def test_a_cost_that_is_missing_is_said() -> None:
    bare = small_card({"pgd_20": "1" * N}, clean="1" * N, name="bare", cost=None,
                      missing={"cost": "it has no layers"})  # fmt: skip
    told = text(PLAIN, bare)
    assert "bare was not counted: it has no layers" in told
    assert "What each costs" not in told


def test_names_are_text_wherever_they_stand() -> None:
    hostile = small_card({"pgd_20": "1" * N}, clean="1" * N, name=HOSTILE)
    html = comparison_page(compare(PLAIN, hostile))
    assert "<script>alert" not in html
    assert "<b onclick" not in html
