"""What a card holds; ``card.schema.json`` beside this file is made from these classes.

Outcomes are texts, whole numbers parted by spaces, one per image in the order of ``data.images``:
on how many of so many draws the image was classified correctly. Of a network that is not
randomised there is one draw, and a number is 1 or 0.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Literal["nenni-card-1"] = "nenni-card-1"
"""Its version: a card of another one is not read."""

Share = Annotated[float, Field(ge=0, le=1)]
Whole = Annotated[int, Field(ge=0)]
Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Counts = Annotated[str, Field(pattern=r"^\d+( \d+)*$")]
Identifiers = Annotated[str, Field(pattern="^[0-9a-f]{16}( [0-9a-f]{16})*$")]


class Part(BaseModel):
    """A part of a card: no key is unknown, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Network(Part):
    """The network.

    Attributes
    ----------
    sha256
        Checksum of its weights: of the names, types, shapes and bytes of all tensors.
    model
        Its architecture by name, with its arguments; null where it is not known.
    input_shape
        Of one image: channels, height, width.
    classes
        Number of outputs; null where it gives labels alone.
    parameters
        Numbers in it that training sets.
    injected
        Whether it is of the method of this project.
    randomised
        Whether two passes on the same image differ.
    defence
        Of an injected network, the choices of each layer: projection, selection, noise, bits.
    """

    sha256: Checksum
    model: dict[str, Any] | None
    input_shape: list[Whole]
    classes: Whole | None
    parameters: Whole
    injected: bool
    randomised: bool
    defence: dict[str, Any] | None


class Images(Part):
    """The images that were attacked.

    Attributes
    ----------
    name
        What they are called; decides nothing.
    sha256
        Checksum of all pixels, and then all labels.
    n
        How many.
    images
        A hash of what each image shows, 16 hexadecimal digits.
    labels
        The class of each.
    """

    name: str
    sha256: Checksum
    n: Annotated[int, Field(ge=1)]
    images: Identifiers
    labels: Counts


class Protocol(Part):
    """What was asked for.

    Attributes
    ----------
    suite
        Name of the suite of attacks; ``own`` for attacks of one's own.
    norm
        What is bounded: the largest change of a pixel, or the length of the change of the image.
    eps
        By how much, in units of the [0, 1] input.
    seed
        Root of all random choices.
    draws
        Passes on which a randomised network's worst points are chosen, and over which its gradients
        are averaged.
    scored_on
        Other passes on which these are scored; 1 for a network that is not randomised.
    batch_size
        Images at once.
    diagnosed
        Images of the diagnosis and of the cost, the first so many.
    """

    suite: str
    norm: Literal["linf", "l2"]
    eps: Annotated[float, Field(ge=0)]
    seed: Whole
    draws: Annotated[int, Field(ge=1)]
    scored_on: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    diagnosed: Annotated[int, Field(ge=1)]


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
    eps: Annotated[float, Field(ge=0)]
    worst: Accuracy
    returned: Accuracy
    any_correct: Counts
    any_chosen: Counts
    adv_correct: Counts
    adv_chosen: Counts
    forwards: Annotated[float, Field(ge=0)]
    backwards: Annotated[float, Field(ge=0)]
    notes: list[str]


class Tries(Accuracy):
    """Accuracy of a randomised network where the attacker may try more than once.

    Attributes
    ----------
    tries
        How often.
    """

    tries: Annotated[int, Field(ge=1)]


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
    n: Annotated[int, Field(ge=1)]
    checks: list[Check]
    curves: dict[str, list[Annotated[list[float], Field(min_length=2, max_length=2)]]]


class BitOps(Part):
    """Bit operations of one image against a dense network.

    Attributes
    ----------
    baseline
        Bits of the dense network: ``fp32``, ``fp16`` or ``int8``.
    variant
        ``as_evaluated``: exact outputs at the bits that were attacked; ``exact_at_baseline``: at
        the baseline's.
    evaluated
        Whether the accuracy of these bits is the one on this card.
    dense
        Of the baseline.
    without_overheads
        Of this network, exact outputs and approximation alone.
    with_overheads
        Of this network, everything counted.
    """

    baseline: Literal["fp32", "fp16", "int8"]
    variant: Literal["as_evaluated", "exact_at_baseline"]
    evaluated: bool
    dense: float
    without_overheads: float
    with_overheads: float


class Time(Part):
    """Modelled seconds of one image on a platform; null where it does not compute so.

    Attributes
    ----------
    platform
        A preset of the cost model.
    dense_fp32
        Of the dense network in FP32.
    dense_fp16
        The same in FP16.
    dense_int8
        The same in INT8.
    network
        Of this one.
    """

    platform: str
    dense_fp32: float | None
    dense_fp16: float | None
    dense_int8: float | None
    network: float | None


class Energy(Part):
    """Modelled picojoules of one image.

    Attributes
    ----------
    bits
        Of the exact outputs.
    evaluated
        Whether the accuracy of these bits is the one on this card.
    dense
        Of the dense network at these bits.
    network
        Of this one.
    """

    bits: Whole
    evaluated: bool
    dense: float
    network: float


class Cost(Part):
    """What the network costs: counted and modelled, never measured.

    Attributes
    ----------
    convention
        How it is counted.
    metric
        What a multiplication counts in BitOPs: ``product`` of the bits of both factors.
    terms
        BitOPs of one image by what they are spent on.
    bitops
        The sum, against dense networks.
    times
        Modelled times on some platforms.
    energies
        Modelled energies.
    """

    convention: str
    metric: str
    terms: dict[str, float]
    bitops: list[BitOps]
    times: list[Time]
    energies: list[Energy]


class Machine(Part):
    """What it was computed with: another kind of processor gives other last digits.

    Attributes
    ----------
    versions
        Package -> version.
    processor
        Its name, family and model.
    instruction_set
        The widest that was allowed; ``auto`` leaves it to the processor.
    device
        ``cpu`` or ``cuda``.
    gpu
        Its name, or null.
    threads
        Of torch.
    """

    versions: dict[str, str]
    processor: str
    instruction_set: str
    device: str
    gpu: str | None
    threads: Annotated[int, Field(ge=1)]


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
