"""The tables of a card's page."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nenni.cards.schema import Accuracy, Attack, Card, Diagnosis
from nenni.cards.schema_cost import Cost
from nenni.cards.words import change
from nenni.evaluation.scoring import ALL_CHECKS, WORST
from nenni.results.page.contents import diagnostic_table
from nenni.results.page.diagnosed import Diagnosed, of_network
from nenni.results.page.tables import Cell, Table, share, table

_MEGA, _MICRO = 1e-6, 1e6
_ATTACKS = (
    "attacks",
    "Accuracy under each attack",
    "At the worst point that an attack tried, and at the image that it returned, as papers report "
    "it; in brackets are 95 % intervals. What the network withstands is at most the least over all "
    "attacks.",
)
_TRIES = (
    "persistence",
    "A persistent attacker",
    "The network draws at random: what is left where the attacker may try its images so often.",
)
_BITOPS = (
    "bitops",
    "BitOPs against dense networks",
    "Millions of one image. Where the last column says no, the accuracy with these bits was not "
    "measured.",
)
_TERMS = ("terms", "What the BitOPs are spent on", "Millions of one image.")
_TIMES = (
    "times",
    "Modelled time",
    "Microseconds of one image; empty where a platform does not compute with such bits.",
)
_ENERGIES = (
    "energies",
    "Modelled energy",
    "Microjoules of one image, by the bits of exact outputs that a platform computes with.",
)
_VARIANTS = {"as_evaluated": "those attacked", "exact_at_baseline": "the baseline's"}
_YES = {True: "yes", False: "no"}


def attack_tables(card: Card) -> list[Table]:
    """Accuracy under each attack and, of a randomised network, by the number of tries."""
    plain = _accuracy("no attack", card.clean)
    rows = [plain, *map(_attack, card.attacks), _accuracy(WORST, card.least)]
    found = [_table(rows, _ATTACKS)]
    tries = [{"tries": row.tries, "accuracy": cell(row)} for row in card.persistence]
    return [*found, _table(tries, _TRIES)] if tries else found


def notes(card: Card) -> list[tuple[str, str]]:
    """What should be known of some attacks: a note, and which they are."""
    found: dict[str, list[str]] = {}
    for attack in card.attacks:
        for note in attack.notes:
            found.setdefault(note, []).append(attack.name)
    every = len(card.attacks)
    return [(note, "all" if len(of) == every else ", ".join(of)) for note, of in found.items()]


def checks(card: Card, diagnosis: Diagnosis) -> tuple[Diagnosed, Table]:
    """What the diagnosis found, in sentences and as a table."""
    rows: list[dict[Any, Any]] = [check.model_dump() for check in diagnosis.checks]
    failed = any(row["verdict"] == "fail" for row in rows)
    whole = {
        "name": ALL_CHECKS, "meaning": diagnosis.verdict, "verdict": "fail" if failed else "pass",
    }  # fmt: skip
    return of_network(card.name, [*rows, whole]), diagnostic_table(pd.DataFrame(rows))


def cost_tables(cost: Cost) -> list[Table]:
    """BitOPs, modelled time and modelled energy."""
    bitops = [
        {
            "baseline": row.baseline.upper(),
            "bits of exact outputs": _VARIANTS[row.variant],
            "dense (M)": _MEGA * row.dense,
            "this network (M)": _MEGA * row.with_overheads,
            "change": _change(row.with_overheads, row.dense),
            "change, overheads left out": _change(row.without_overheads, row.dense),
            "accuracy measured": _YES[row.evaluated],
        }
        for row in cost.bitops
    ]
    terms = [{"term": name, "BitOPs (M)": _MEGA * n} for name, n in cost.terms.items()]
    times = [
        {
            "platform": row.platform,
            "dense FP32 (µs)": _scaled(row.dense_fp32),
            "dense FP16 (µs)": _scaled(row.dense_fp16),
            "dense INT8 (µs)": _scaled(row.dense_int8),
            "this network (µs)": _scaled(row.network),
            "change against FP32": _change(row.network, row.dense_fp32),
        }
        for row in cost.times
    ]
    energies = [
        {
            "platform": row.platform,
            "bits": row.bits,
            "dense (µJ)": _MEGA * row.dense,
            "this network (µJ)": _MEGA * row.network,
            "change": _change(row.network, row.dense),
            "accuracy measured": _YES[row.evaluated],
        }
        for row in cost.energies
    ]
    named = ((bitops, _BITOPS), (terms, _TERMS), (times, _TIMES), (energies, _ENERGIES))
    return [_table(rows, about) for rows, about in named]


def cell(found: Accuracy) -> Cell:
    """An accuracy with its interval, in a table."""
    return share(found.accuracy, found.low, found.high)


def _attack(attack: Attack) -> dict[str, Any]:
    return {
        **_accuracy(attack.name, attack.worst),
        "at what it returned": cell(attack.returned),
        "forwards": attack.forwards,
        "backwards": attack.backwards,
    }


def _accuracy(name: str, found: Accuracy) -> dict[str, Any]:
    return {"attack": name, "any_iterate": cell(found)}


def _scaled(seconds: float | None) -> float | None:
    return None if seconds is None else _MICRO * seconds


def _change(new: float | None, old: float | None) -> Cell:
    if new is None or not old:
        return Cell("")
    return Cell(change(new, old), new / old)


def _table(rows: Sequence[dict[str, Any]], about: tuple[str, str, str]) -> Table:
    return table(pd.DataFrame(rows), *about)
