"""Cards come back as they were written; what is no card is refused in a line that says why."""

import json
from pathlib import Path
from typing import Any

import pytest
from card_cases import small_card

from nenni.cards.card_file import read_card, write_card
from nenni.cards.schema import Card
from nenni.core.errors import UserError

RANDOMISED = small_card({"pgd_20": "90 3"}, clean="100 50", chosen={"pgd_20": "9 1"}, scored_on=100)


@pytest.mark.parametrize(
    "card",
    [small_card(), RANDOMISED, small_card(cost=None, missing={"cost": "it has no layers"})],
    ids=["plain", "randomised", "without cost"],
)
def test_it_comes_back(card: Card, tmp_path: Path) -> None:
    file, page = write_card(card, tmp_path / "a.json")
    assert (file, page) == (tmp_path / "a.json", tmp_path / "a.html")
    assert read_card(file) == read_card(str(file)) == card
    before = file.read_bytes(), page.read_bytes()
    write_card(read_card(file), file)
    assert (file.read_bytes(), page.read_bytes()) == before


def test_the_name_of_a_card_says_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.html: the name of a card should end in \.json"):
        write_card(small_card(), tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read (No such file or directory); name a card"),
        ("", "is no JSON"),
        ('{"schema": "nenni-card-1", ', "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1, 2]", "schema: should be 'nenni-card-1', got None; make it again with nenni card"),
        ("{}", "schema: should be 'nenni-card-1', got None"),
        ('{"schema": "nenni-card-2"}', "schema: should be 'nenni-card-1', got 'nenni-card-2'"),
        ('{"schema": "nenni-card-1"}', "name: is missing"),
    ],
)
def test_what_is_no_card_is_refused(text: str | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        read_card(file)
    assert str(raised.value).splitlines()[0].startswith(f"{file}: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("protocol.sead", 1, "protocol.sead: unknown key; did you mean 'seed'?"),
        ("attacks.0.forward", 1, "attacks.0.forward: unknown key; did you mean 'forwards'?"),
        ("cost.unit", 1, "cost.unit: unknown key"),
        ("data.n", "ten", "data.n: should be a valid integer, got 'ten'"),
        ("clean.accuracy", 0.5, "clean.accuracy: is 0.5, and the outcomes give 0.9; make it again"),
        ("attacks.1.worst.accuracy", 0.5, "attacks.1.worst.accuracy: is 0.5, and the outcomes"),
        ("attacks.0.returned.accuracy", 1.0, "attacks.0.returned.accuracy: is 1.0, and the"),
        ("least.accuracy", 0.5, "least.accuracy: is 0.5, and the outcomes give 0.2"),
        ("data.n", 9, "data.images: is of 10 images where data.n is 9"),
        ("data.labels", "1 2", "data.labels: is of 2 images where data.n is 10"),
        ("attacks.0.any_correct", "1 1", "attacks.0.any_correct: is of 2 images where data.n"),
        ("attacks.0.adv_chosen", "2" + 9 * " 1", "attacks.0.adv_chosen: counts 2 draws of 1"),
    ],
)
def test_a_card_that_was_changed_is_refused(
    place: str, value: Any, message: str, tmp_path: Path
) -> None:
    file, _ = write_card(small_card(), tmp_path / "a.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    *above, key = place.split(".")
    inner = content
    for part in above:
        inner = inner[int(part) if part.isdecimal() else part]
    inner[key] = value
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError) as raised:
        read_card(file)
    lines = str(raised.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines)
    assert any(message in line for line in lines)
