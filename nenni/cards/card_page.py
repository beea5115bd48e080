"""The page of a card: how robust, can it be believed, what does it cost; then all of it."""

import json

from markupsafe import Markup

from nenni.cards import attacks_chart, words
from nenni.cards.attacks_chart import mark
from nenni.cards.card_tables import attack_tables, checks, cost_tables, notes
from nenni.cards.schema import Card
from nenni.evaluation.scoring import WORST
from nenni.results.page import skeleton
from nenni.results.page.tables import Table

_TEMPLATE, _PARTS = "card.html.jinja", "parts.html.jinja"
NO_ATTACK = "no attack"


def card_page(card: Card, file: str) -> str:
    """The page of a card.

    Parameters
    ----------
    card : Card
        From :func:`nenni.card`.
    file : str
        Name of the card's JSON beside the page.
    """
    marks = [
        mark(NO_ATTACK, card.name, card.clean),
        *(mark(attack.name, card.name, attack.worst) for attack in card.attacks),
        mark(WORST, card.name, card.least),
    ]
    found = None if card.diagnosis is None else checks(card, card.diagnosis)
    return skeleton.document(
        _TEMPLATE,
        card=card,
        file=file,
        words=words,
        picture=Markup(attacks_chart.static(marks)),
        chart=attacks_chart.specification(marks),
        attacks=[data_table(part) for part in attack_tables(card)],
        notes=notes(card),
        diagnosed=found and found[0],
        checks=found and data_table(found[1]),
        costs=[data_table(part) for part in cost_tables(card.cost)] if card.cost else [],
        parameters=[(a.name, json.dumps(a.parameters | a.adapted)) for a in card.attacks],
        facts=_facts(card),
        layers=_layers(card),
    )  # fmt: skip


def data_table(part: Table) -> Markup:
    """The HTML of a table."""
    parts = skeleton.environment().get_template(_PARTS).module
    return Markup(parts.data_table(part))  # type: ignore[attr-defined]


def _facts(card: Card) -> list[tuple[str, str]]:
    """What was run on what, as a list of names and values."""
    network, asked, machine = card.network, card.protocol, card.machine
    kind = [*(["injected by this method"] if network.injected else ["nothing injected"])]
    kind += ["randomised"] if network.randomised else ["the same answer each time"]
    drawn = f"{asked.draws} to choose by, {asked.scored_on} others to score"
    return [
        ("Architecture", "of its own" if network.model is None else _named(network.model)),
        ("Kind", ", ".join(kind)),
        ("Parameters", f"{network.parameters:,}"),
        ("Image", " x ".join(map(str, network.input_shape))),
        ("Checksum of the weights", network.sha256),
        ("Images", f"{card.data.n} of {card.data.name}"),
        ("Checksum of the images", card.data.sha256),
        ("Suite, radius, seed", f"{asked.suite}, {words.radius_of(card)}, {asked.seed}"),
        *([("Draws", drawn)] if network.randomised else []),
        ("Images at once", str(asked.batch_size)),
        ("Processor", machine.processor),
        *([("GPU", machine.gpu)] if machine.gpu else []),
        ("Instruction set, threads", f"{machine.instruction_set}, {machine.threads}"),
        *machine.versions.items(),
        ("Schema of the card", card.version),
    ]


def _named(model: dict[str, object]) -> str:
    given = ", ".join(f"{key} {value}" for key, value in model.items() if key != "name")
    return f"{model['name']} ({given})" if given else str(model["name"])


def _layers(card: Card) -> list[tuple[str, str]]:
    """The choices of each group of injected layers that share them: names, and choices."""
    layers = (card.network.defence or {}).get("layers", {})
    groups: dict[str, list[str]] = {}
    for name, choices in layers.items():
        groups.setdefault(json.dumps(choices), []).append(name)
    return [(", ".join(names), choices) for choices, names in groups.items()]
