"""The published schema is that of the classes, and refuses what they refuse."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from card_cases import cost, diagnosis, small_card
from pydantic import ValidationError

from nenni.cards import schema
from nenni.cards.schema import Card

FILE = Path(schema.__file__).with_name("card.schema.json")


@pytest.fixture(scope="module")
def validator() -> Any:
    published = json.loads(FILE.read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(published)
    kind.check_schema(published)
    return kind(published)


def content(card: Card) -> Any:
    return json.loads(json.dumps(card.model_dump(mode="json", by_alias=True)))


@pytest.mark.parametrize(
    "card",
    [
        small_card(),
        small_card({"pgd_20": "90 3"}, clean="100 99", chosen={"pgd_20": "9 1"}, scored_on=100),
        small_card(diagnosis=None, cost=None, missing={"diagnosis": "labels", "cost": "no layers"}),
    ],
    ids=["plain", "randomised", "without parts"],
)
def test_cards_keep_to_it(card: Card, validator: Any) -> None:
    validator.validate(content(card))
    assert Card.model_validate(content(card)) == card


def test_its_version_is_the_cards(validator: Any) -> None:
    assert validator.schema["$id"] == schema.SCHEMA == content(small_card())["schema"]
    described = [*validator.schema["$defs"].values(), validator.schema]
    lacking = [
        f"{part['title']}.{name}"
        for part in described
        for name, key in part["properties"].items()
        if "description" not in key and name != "schema"
    ]
    assert lacking == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema",), "nenni-card-2"),
        (("data", "sha256"), "0" * 63),
        (("data", "images"), "0123"),
        (("clean", "correct"), "1,1,1"),
        (("clean", "accuracy"), 1.5),
        (("attacks",), []),
        (("protocol", "norm"), "l1"),
        (("protocol", "seed"), "0"),
        (("network", "randomised"), 1),
        (("unknown",), 1),
        (("cost", "unknown"), 1),
        (("diagnosis", "checks", 0, "verdict"), "perhaps"),
        (("missing",), {"clean": "why"}),
    ],
)
def test_both_refuse_the_same(place: tuple[Any, ...], value: Any, validator: Any) -> None:
    wrong = content(small_card(diagnosis=diagnosis("x", "fail"), cost=cost(1)))
    inner = wrong
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    with pytest.raises(ValidationError):
        Card.model_validate(wrong)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(wrong)
