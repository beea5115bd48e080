"""Cards as files: JSON of the published schema, and a page beside it."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from nenni.cards.outcomes import draws_that_choose, examples, read
from nenni.cards.schema import SCHEMA, Accuracy, Card
from nenni.core import settings
from nenni.core.errors import UserError, brief, in_a_line, refusal
from nenni.core.io import write_json, write_text
from nenni.evaluation.scoring import least, robust, robust_at_any

SUFFIX, PAGE = ".json", ".html"
_ROUNDING = 1e-9
_REMEDY = "make it again with nenni card"
Problem = tuple[tuple[int | str, ...], str]


def write_card(card: Card, path: str | Path) -> tuple[Path, Path]:
    """Write a card as JSON, and beside it its page, of the same name, for a browser.

    Parameters
    ----------
    card : Card
        From :func:`nenni.card`.
    path : path
        The file, whose name ends in ``.json``.

    Returns
    -------
    file, page : Path
        What was written.

    Raises
    ------
    UserError
        If the name ends otherwise, or they cannot be written.
    """
    from nenni.cards.card_page import card_page

    file = check_name(Path(path))
    page = file.with_suffix(PAGE)
    write_json(file, card.model_dump(mode="json", by_alias=True))
    write_text(page, card_page(card, file.name))
    return file, page


def check_name(file: Path) -> Path:
    """The file of a card, if its name ends as it should."""
    if file.suffix != SUFFIX:
        raise UserError(f"{file}: the name of a card should end in {SUFFIX}; its page gets {PAGE}")
    return file


def read_card(path: str | Path) -> Card:
    """Read a card, and check it by the schema and by itself.

    Raises
    ------
    UserError
        If it is missing, no JSON, of another version, or has keys that are unknown or lacking; if
        its accuracies are not those of its outcomes. One line per problem, with file and key.
    """
    file = Path(path)
    content = _json(file)
    version = content.get("schema") if isinstance(content, dict) else None
    if version != SCHEMA:
        raise UserError(f"{file}: schema: should be '{SCHEMA}', got {brief(version)}; {_REMEDY}")
    try:
        card = Card.model_validate(content)
    except ValidationError as error:
        raise refusal(str(file), settings.problems(Card, error)) from None
    if problems := [*_contradictions(card)]:
        raise refusal(str(file), [(key, f"{said}; {_REMEDY}") for key, said in problems])
    return card


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); name a card") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: is no JSON ({in_a_line(error)}); {_REMEDY}") from error


def _contradictions(card: Card) -> Iterator[Problem]:
    """What a card says of itself and is not so."""
    if found := [*_wrong_counts(card)]:
        yield from found
        return
    tables = [examples(card, attack) for attack in card.attacks]
    yield from _other(("clean",), card.clean, tables[0]["clean_correct"])
    for i, (attack, table) in enumerate(zip(card.attacks, tables, strict=True)):
        yield from _other(("attacks", i, "worst"), attack.worst, robust_at_any(table))
        yield from _other(("attacks", i, "returned"), attack.returned, robust(table))
    yield from _other(("least",), card.least, least(tables))


def _other(
    key: tuple[int | str, ...], said: Accuracy, shares: "pd.Series[float]"
) -> Iterator[Problem]:
    mean = float(shares.mean())
    if abs(mean - said.accuracy) > _ROUNDING:
        yield (*key, "accuracy"), f"is {said.accuracy!r}, and the outcomes give {mean!r}"


def _wrong_counts(card: Card) -> Iterator[Problem]:
    """Texts that are not of all images, or count more draws than there were."""
    n, scored, chosen = card.data.n, card.protocol.scored_on, draws_that_choose(card)
    yield from _lengths(n, [(("data", "images"), card.data.images)])
    yield from _lengths(n, [(("data", "labels"), card.data.labels)])
    texts: list[tuple[tuple[int | str, ...], str, int]] = [
        (("clean", "correct"), card.clean.correct, scored),
        (("clean", "chosen"), card.clean.chosen, chosen),
    ]
    for i, attack in enumerate(card.attacks):
        texts += [
            (("attacks", i, "any_correct"), attack.any_correct, scored),
            (("attacks", i, "any_chosen"), attack.any_chosen, chosen),
            (("attacks", i, "adv_correct"), attack.adv_correct, scored),
            (("attacks", i, "adv_chosen"), attack.adv_chosen, chosen),
        ]
    for key, text, most in texts:
        yield from _lengths(n, [(key, text)])
        if (largest := max(read(text))) > most:
            yield key, f"counts {largest} draws of {most}"


def _lengths(n: int, texts: Iterable[tuple[tuple[int | str, ...], str]]) -> Iterator[Problem]:
    for key, text in texts:
        if (count := text.count(" ") + 1) != n:
            yield key, f"is of {count} images where data.n is {n}"
