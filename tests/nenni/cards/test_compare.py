"""Two cards by the attacks of both: numbers by hand, and what is left out or refused."""

from pathlib import Path
from typing import Any

import pytest
from card_cases import MASKED, diagnosis, small_card

from nenni.cards.card_file import write_card
from nenni.cards.compare import compare, doubts
from nenni.cards.schema import Card
from nenni.core.errors import UserError

FIRST = small_card({"pgd_20": "1111111000", "square": "1111111100"}, name="plain")
SECOND = small_card({"pgd_20": "1000000010", "square": "1111111000"}, name="noisy")


def rows(first: Card, second: Card) -> dict[str, dict[str, Any]]:
    found = compare(first, second).rows.to_dict("records")
    return {str(row["attack"]): {str(k): v for k, v in row.items()} for row in found}


def test_paired_numbers_by_hand() -> None:
    """PGD: 6 images right by the first alone, 1 by the second; of 7, both-sided, 2 (1 + 7) / 2^7."""
    found = rows(FIRST, SECOND)
    assert list(found) == ["clean", "pgd_20", "square", "all attacks"]
    pgd = found["pgd_20"]
    assert (pgd["first"], pgd["second"]) == (0.7, 0.2)
    assert (pgd["only_first"], pgd["only_second"], pgd["n"]) == (6, 1, 10)
    assert pgd["difference"] == pytest.approx(-0.5)
    assert pgd["p"] == pytest.approx(2 * 8 / 2**7)
    differences = [0, -1, -1, -1, -1, -1, -1, 0, 1, 0]
    variance = sum((d + 0.5) ** 2 for d in differences) / 9 / 10
    half = 1.959964 * variance**0.5
    assert pgd["low"] == pytest.approx(-0.5 - half, abs=1e-6)
    assert pgd["high"] == pytest.approx(-0.5 + half, abs=1e-6)
    assert found["clean"]["p"] == 1
    assert found["clean"]["low"] == pytest.approx(-0.3)  # the rule of three, on 10 images
    assert found["square"]["p"] == 1
    least = found["all attacks"]
    assert (least["first"], least["second"]) == (0.7, 0.1)
    assert (least["only_first"], least["only_second"]) == (6, 0)
    assert least["p"] == pytest.approx(2 / 2**6)


def test_p_values_are_corrected_for_their_number() -> None:
    """Holm: 4 times the least, 3 times the next, and no p below one before it."""
    found = rows(FIRST, SECOND)
    assert found["all attacks"]["p_holm"] == pytest.approx(4 * 2 / 2**6)
    assert found["pgd_20"]["p_holm"] == pytest.approx(3 * 16 / 2**7)
    assert found["square"]["p_holm"] == found["clean"]["p_holm"] == 1


def test_turned_round_the_difference_turns_its_sign() -> None:
    one, other = rows(FIRST, SECOND), rows(SECOND, FIRST)
    for attack, row in one.items():
        assert other[attack]["difference"] == -row["difference"]
        assert other[attack]["low"] == pytest.approx(-row["high"])
        assert other[attack]["p"] == row["p"]
        assert other[attack]["only_first"] == row["only_second"]


@pytest.mark.parametrize(("n", "shown"), [(10, False), (40, True)])
def test_the_verdict_says_what_is_shown(n: int, shown: bool) -> None:
    one = small_card({"pgd_20": "1" * n}, clean="1" * n, name="plain")
    few = n // 4
    other = small_card({"pgd_20": "0" * few + "1" * (n - few)}, clean="1" * n, name="noisy")
    told = compare(one, other).verdict
    if shown:
        assert told.startswith("noisy is less robust than plain, by 25.0 points (")
        assert compare(other, one).verdict.startswith("plain is more robust than noisy, by 25.0")
    else:
        assert told.startswith("No difference is shown under all attacks that both received")
    assert told.endswith(f"on {n} images")


def test_only_attacks_of_both_count() -> None:
    first = small_card({"pgd_20": "1111111000", "fgsm": "1111111111"}, name="plain")
    second = small_card({"pgd_20": "1111111000", "bpda": "0000000000"}, name="noisy")
    found = compare(first, second)
    assert list(found.rows["attack"]) == ["clean", "pgd_20", "all attacks"]
    assert found.left_out == {"fgsm": "on plain alone", "bpda": "on noisy alone"}
    least = found.rows.set_index("attack").loc["all attacks"]
    assert least["second"] == 0.7  # though bpda left nothing


def changed(card: Card, **parameters: Any) -> Card:
    content = card.model_dump(mode="json", by_alias=True)
    content["attacks"][0]["parameters"] |= parameters
    return Card.model_validate(content)


def test_other_parameters_are_another_attack() -> None:
    found = compare(FIRST, changed(SECOND, steps=40))
    assert found.left_out == {"pgd_20": "other parameters"}
    assert list(found.rows["attack"]) == ["clean", "square", "all attacks"]


def test_what_a_randomised_network_averages_is_no_other_attack() -> None:
    noisy = small_card(
        {"pgd_20": "20 30"}, clean="100 90", chosen={"pgd_20": "2 3"}, scored_on=100, name="noisy"
    )
    plain = small_card({"pgd_20": "10"}, clean="11", name="plain")
    found = rows(plain, noisy)
    assert found["pgd_20"]["second"] == pytest.approx(0.25)
    assert found["pgd_20"]["difference"] == pytest.approx(-0.25)
    assert found["pgd_20"]["only_first"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"clean": "111", "outcomes": {"pgd_20": "111"}},
            "data.n: 3 where {0} has 10; two networks",
        ),
        (
            {
                "data__images": " ".join(f"{i + 1:016x}" for i in range(10)),
                "data__sha256": "1" * 64,
            },
            "data.images: not those of {0}; two networks compare on the same images alone: make one "
            "of the cards again with the --data, --size and --examples of the other",
        ),
        (
            {"data__labels": "0 0 0 0 0 0 0 0 0 0", "data__sha256": "1" * 64},
            "data.labels: not those of {0}",
        ),
        ({"data__sha256": "1" * 64}, "data.sha256: not those of {0}"),
    ],
)
def test_other_images_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    one, _ = write_card(FIRST, tmp_path / "one.json")
    other, _ = write_card(small_card(**changes), tmp_path / "other.json")
    with pytest.raises(UserError) as raised:
        compare(one, other)
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{other}: {message.format(one)}")


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [("norm", "l2", "--norm"), ("eps", 0.5, "--eps"), ("suite", "standard", "--suite")],
)
def test_cards_without_an_attack_in_common_are_refused(
    key: str, value: object, remedy: str, tmp_path: Path
) -> None:
    one, _ = write_card(FIRST, tmp_path / "one.json")
    card = small_card({"apgd": "1111111111"}, **{f"protocol__{key}": value})
    other, _ = write_card(card, tmp_path / "other.json")
    with pytest.raises(UserError, match=rf"other\.json: protocol\.{key}: .* the {remedy} of the"):
        compare(one, other)


def test_cards_with_other_attacks_of_ones_own_are_refused() -> None:
    with pytest.raises(UserError, match="attacks: none has the name and the parameters of one of"):
        compare(FIRST, small_card({"apgd": "1111111111"}))


def test_two_of_one_name_are_told_apart(tmp_path: Path) -> None:
    one, _ = write_card(FIRST, tmp_path / "one.json")
    other, _ = write_card(FIRST, tmp_path / "other.json")
    assert compare(one, other).names == (str(one), str(other))
    assert compare(FIRST, FIRST).names == ("plain (first)", "plain (second)")
    assert compare(FIRST, SECOND).names == ("plain", "noisy")


def test_doubts_are_told() -> None:
    masked = small_card(name="noisy", diagnosis=diagnosis(MASKED, "fail"))
    labels = small_card(name="plain", diagnosis=None, missing={"diagnosis": "gives labels"})
    assert doubts(compare(FIRST, SECOND)) == []
    assert doubts(compare(labels, masked)) == [
        "plain was not diagnosed: gives labels", f"noisy: {MASKED}"
    ]  # fmt: skip
