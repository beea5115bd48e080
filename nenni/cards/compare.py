"""``nenni.compare``: two cards of the same images, by the attacks that both networks received."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nenni.cards.card_file import read_card
from nenni.cards.outcomes import examples
from nenni.cards.schema import Attack, Card
from nenni.core.errors import UserError
from nenni.evaluation.diagnose import TRUSTWORTHY, holm
from nenni.evaluation.scoring import WORST, least, robust_at_any
from nenni.evaluation.statistics import difference_interval, mcnemar, wilson
from nenni.evaluation.suite_result import CLEAN

LEVEL = 0.05
"""Chance, at most, that any difference of a table is told where there is none."""
COLUMNS = [
    "attack", "eps", "n", "first", "first_low", "first_high", "second", "second_low",
    "second_high", "difference", "low", "high", "only_first", "only_second", "p", "p_holm",
]  # fmt: skip
_Flags = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """What two cards say of each other.

    Attributes
    ----------
    first, second : Card
        As they were given.
    names : tuple of str
        What they are called, two different names.
    rows : DataFrame
        One for the clean images, one per attack that both received, at the worst point that it
        tried, and one for the least over these attacks: accuracies with 95 % Wilson intervals,
        their ``difference`` (second less first) with its 95 % interval, on how many images one
        network alone is right, and the p value of McNemar's exact test, as it is and corrected for
        the number of rows (Holm, Scandinavian Journal of Statistics 1979).
    left_out : dict
        Attack of one of the cards -> why it is not compared.
    verdict : str
        What follows, in a sentence.
    """

    first: Card
    second: Card
    names: tuple[str, str]
    rows: pd.DataFrame
    left_out: dict[str, str]
    verdict: str


def compare(first: Card | str | Path, second: Card | str | Path) -> Comparison:
    """Compare two networks on the images that both were attacked on.

    Two attacks are the same where name, all parameters, norm and eps are. What a randomised network
    averages its gradients over is not counted among them.

    Parameters
    ----------
    first, second : Card or path
        Cards, or files of them.

    Raises
    ------
    UserError
        If a file cannot be read, the cards are not of the same images, or no attack is of both.
        The message says which key differs, and what to do.
    """
    cards = [given if isinstance(given, Card) else read_card(given) for given in (first, second)]
    where = [card.name if card is given else str(given)
             for card, given in zip(cards, (first, second), strict=True)]  # fmt: skip
    one, other = cards
    _check_images(one, other, where)
    theirs = {_key(attack): attack for attack in other.attacks}
    both = [(attack, theirs[key]) for attack in one.attacks if (key := _key(attack)) in theirs]
    if not both:
        raise UserError(_nothing_in_common(one, other, where))
    names = _names(one, other, where)
    rows = _rows(one, other, both)
    return Comparison(one, other, names, rows, _left_out(one, other, names), _verdict(rows, names))


def doubts(comparison: Comparison) -> list[str]:
    """What speaks against the accuracies of either network, in sentences."""
    told = []
    for name, card in zip(comparison.names, (comparison.first, comparison.second), strict=True):
        if card.diagnosis is None:
            told.append(f"{name} was not diagnosed: {card.missing.get('diagnosis', 'no reason')}")
        elif card.diagnosis.verdict != TRUSTWORTHY:
            told.append(f"{name}: {card.diagnosis.verdict}")
    return told


def _check_images(one: Card, other: Card, where: list[str]) -> None:
    if one.data.sha256 == other.data.sha256:
        return
    a, b = one.data, other.data
    parts = {"n": (a.n, b.n), "images": (a.images, b.images), "labels": (a.labels, b.labels)}
    key = next((name for name, (x, y) in parts.items() if x != y), "sha256")
    said = f"{b.n} where {where[0]} has {a.n}" if key == "n" else f"not those of {where[0]}"
    raise UserError(
        f"{where[1]}: data.{key}: {said}; two networks compare on the same images alone: make one "
        "of the cards again with the --data, --size and --examples of the other"
    )


def _key(attack: Attack) -> tuple[str, str, float]:
    return attack.name, repr(sorted(attack.parameters.items())), attack.eps


def _nothing_in_common(one: Card, other: Card, where: list[str]) -> str:
    a, b = one.protocol, other.protocol
    for key, remedy in (("norm", "--norm"), ("eps", "--eps"), ("suite", "--suite")):
        x, y = getattr(a, key), getattr(b, key)
        if x != y:
            return (
                f"{where[1]}: protocol.{key}: {y!r} where {where[0]} has {x!r}, so that no attack "
                f"was made on both; make one of the cards again with the {remedy} of the other"
            )
    return (
        f"{where[1]}: attacks: none has the name and the parameters of one of {where[0]}; make one "
        "of the cards again with the suite of the other"
    )


def _names(one: Card, other: Card, where: list[str]) -> tuple[str, str]:
    if one.name != other.name:
        return one.name, other.name
    if where[0] != where[1]:
        return where[0], where[1]
    return f"{one.name} (first)", f"{other.name} (second)"


def _rows(one: Card, other: Card, both: list[tuple[Attack, Attack]]) -> pd.DataFrame:
    rows = [_compared(name, eps, a, b) for name, eps, a, b in _flags(one, other, both)]
    for row, p in zip(rows, holm([float(str(row["p"])) for row in rows]), strict=True):
        row["p_holm"] = p
    return pd.DataFrame(rows, columns=COLUMNS)


def _flags(
    one: Card, other: Card, both: list[tuple[Attack, Attack]]
) -> Iterator[tuple[str, float, _Flags, _Flags]]:
    tables = [(examples(one, a), examples(other, b)) for a, b in both]
    a, b = tables[0]
    yield CLEAN, 0.0, _array(a["clean_correct"]), _array(b["clean_correct"])
    for (attack, _), (a, b) in zip(both, tables, strict=True):
        yield attack.name, attack.eps, _array(robust_at_any(a)), _array(robust_at_any(b))
    ours, theirs = (least(tables_of) for tables_of in zip(*tables, strict=True))
    yield WORST, both[0][0].eps, _array(ours), _array(theirs)


def _array(flags: "pd.Series[float]") -> _Flags:
    return np.asarray(flags, dtype=float)


def _compared(name: str, eps: float, one: _Flags, other: _Flags) -> dict[str, object]:
    n, right = len(one), (one > 0.5, other > 0.5)
    (first_low, first_high), (second_low, second_high) = (
        wilson(one.sum(), n),
        wilson(other.sum(), n),
    )
    low, high = difference_interval((other - one)[None])
    return {
        "attack": name, "eps": eps, "n": n,
        "first": one.mean(), "first_low": first_low, "first_high": first_high,
        "second": other.mean(), "second_low": second_low, "second_high": second_high,
        "difference": (other - one).mean(), "low": low, "high": high,
        "only_first": int((right[0] & ~right[1]).sum()),
        "only_second": int((right[1] & ~right[0]).sum()),
        "p": mcnemar(one, other),
    }  # fmt: skip


def _left_out(one: Card, other: Card, names: tuple[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for mine, theirs, alone in ((one, other, names[0]), (other, one, names[1])):
        keys = {_key(attack) for attack in theirs.attacks}
        named = {attack.name for attack in theirs.attacks}
        for attack in mine.attacks:
            if _key(attack) not in keys:
                otherwise = attack.name in named
                found[attack.name] = "other parameters" if otherwise else f"on {alone} alone"
    return found


def _verdict(rows: pd.DataFrame, names: tuple[str, str]) -> str:
    """What the least over the attacks of both says."""
    row = rows[rows["attack"] == WORST].iloc[0]
    difference, n = 100 * float(row["difference"]), int(row["n"])
    interval = f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
    if row["p_holm"] >= LEVEL:
        return (
            f"No difference is shown under all attacks that both received: {names[1]} less "
            f"{names[0]} is {difference:+.1f} points ({interval}) on {n} images"
        )
    more = "more" if difference > 0 else "less"
    sign = 1 if difference > 0 else -1
    low, high = sorted(sign * 100 * float(row[end]) for end in ("low", "high"))
    return (
        f"{names[1]} is {more} robust than {names[0]}, by {abs(difference):.1f} points "
        f"({low:.1f} to {high:.1f}) under all attacks that both received, on {n} images"
    )
