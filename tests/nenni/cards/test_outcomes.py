import pytest
from card_cases import small_card
from hypothesis import given
from hypothesis import strategies as st

from nenni.cards.outcomes import draws_that_choose, examples, read, written


@given(st.integers(1, 1000).flatmap(
    lambda draws: st.tuples(st.just(draws), st.lists(st.integers(0, draws), min_size=1))
))  # fmt: skip
def test_counts_come_back_exactly(case: tuple[int, list[int]]) -> None:
    draws, counts = case
    text = written([count / draws for count in counts], draws)
    assert read(text) == counts


def test_outcomes_are_the_shares_of_draws_that_accuracies_are_made_from() -> None:
    card = small_card({"pgd_20": "90 3"}, clean="100 50", chosen={"pgd_20": "9 1"}, scored_on=100)
    table = examples(card, card.attacks[0])
    assert draws_that_choose(card) == 10
    assert table["clean_correct"].tolist() == [1.0, 0.5]
    assert table["clean_chosen"].tolist() == [1.0, 1.0]
    assert table["any_correct"].tolist() == [0.9, 0.03]
    assert table["any_chosen"].tolist() == [0.9, 0.1]
    assert card.least.accuracy == pytest.approx((0.9 + 0.03) / 2)


def test_a_plain_network_has_one_draw() -> None:
    card = small_card()
    assert draws_that_choose(card) == 1
    assert set(examples(card, card.attacks[0])["any_correct"]) == {0.0, 1.0}
