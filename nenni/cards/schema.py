"""What a card holds; ``card.schema.json`` beside this file is made from these classes.

Outcomes are texts, whole numbers parted by spaces, one per image in the order of ``data.images``:
on how many of so many draws the image was classified correctly. Of a network that is not
randomised there is one draw, and a number is 1 or 0.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from nenni.cards.schema_cost import Cost
from nenni.cards.schema_part import Counts, NotNegative, Part, Share, Some
from nenni.cards.schema_run import Images, Machine, Network, Protocol

SCHEMA: Literal["nenni-card-1"] = "nenni-card-1"
"""Its version: a card of another one is not read."""


class Accuracy(Part):
    """A share of images that are classified correctly.

    Attributes
    ----------
    accuracy
        Mean over the images.
    low
        Lower end of its 95 % Wilson interval.
    high
        Upper end of it.
    """

    accuracy: Share
    low: Share
    high: Share


class Clean(Accuracy):
    """Accuracy without an attack.

    Attributes
    ----------
    correct
        Outcome of each image on the draws that score.
    chosen
        The same on the draws by which the worse of two points is chosen.
    """

    correct: Counts
    chosen: Counts


class Attack(Part):
    """What one attack left.

    Attributes
    ----------
    name
        What the suite calls it.
    parameters
        The attack and all its parameters as they were asked for.
    adapted
        Those that a randomised network changes: gradients are averaged over its draws.
    eps
        Radius in units of the [0, 1] input.
    worst
        Accuracy at the worst point that the attack tried, which a reader should go by.
    returned
        Accuracy at the image that it returned, as papers report it.
    any_correct
        Outcome of each image at the worst point, on the draws that score.
    any_chosen
        The same on the draws by which the worse of two points is chosen.
    adv_correct
        Outcome of each image at what was returned, on the draws that score.
    adv_chosen
        The same on the draws by which the worse of two points is chosen.
    forwards
        Mean passes per image.
    backwards
        Mean gradients per image.
    notes
        What should be known about these numbers.
    """

    name: str
    parameters: dict[str, Any]
    adapted: dict[str, Any]
    eps: NotNegative
    worst: Accuracy
    returned: Accuracy
    any_correct: Counts
    any_chosen: Counts
    adv_correct: Counts
    adv_chosen: Counts
    forwards: NotNegative
    backwards: NotNegative
    notes: list[str]


class Tries(Accuracy):
    """Accuracy of a randomised network where the attacker may try more than once.

    Attributes
    ----------
    tries
        How often.
    """

    tries: Some


class Check(Part):
    """A question of the diagnosis.

    Attributes
    ----------
    name
        What it is called.
    value
        Mostly a share of images that speak against the network.
    threshold
        The largest value that is no fault.
    p
        How likely at least so many are where the share is no larger than the threshold, corrected
        for the number of checks; null where there is no test.
    verdict
        ``pass``, ``fail``, ``too few images``, or ``note``.
    meaning
        What a failure means, in a sentence.
    """

    name: str
    value: float
    threshold: float
    p: Share | None
    verdict: Literal["pass", "fail", "too few images", "note"]
    meaning: str


class Diagnosis(Part):
    """Whether the attacks can be believed.

    Attributes
    ----------
    verdict
        In a sentence; ``trustworthy`` where nothing speaks against it.
    n
        Images that were asked about.
    checks
        Each question.
    curves
        ``eps`` and ``steps``: pairs of these and the accuracy under PGD; ``path``: steps and the
        mean margin.
    """

    verdict: str
    n: Some
    checks: list[Check]
    curves: dict[str, list[Annotated[list[float], Field(min_length=2, max_length=2)]]]


class Card(Part):
    """A card.

    Attributes
    ----------
    schema
        Version of this format.
    name
        What the network is called.
    network
        What was attacked.
    data
        On which images.
    protocol
        How.
    clean
        Accuracy without an attack.
    attacks
        Accuracy under each attack.
    least
        Accuracy where an image counts only if it stays right at the worst point of every attack.
    persistence
        Of a randomised network, by the number of tries.
    diagnosis
        Whether that can be believed; null where that cannot be had.
    cost
        What the network costs; null where that cannot be had.
    missing
        ``diagnosis`` or ``cost``, where it is null -> why.
    machine
        What it was computed with.
    """

    version: Literal["nenni-card-1"] = Field(alias="schema")
    name: str
    network: Network
    data: Images
    protocol: Protocol
    clean: Clean
    attacks: Annotated[list[Attack], Field(min_length=1)]
    least: Accuracy
    persistence: list[Tries]
    diagnosis: Diagnosis | None
    cost: Cost | None
    missing: dict[Literal["diagnosis", "cost"], str]
    machine: Machine
