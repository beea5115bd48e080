"""The rules by which a claim gets its verdict.

They are those of docs/claims.md, and but for :func:`no_room`, which a first run of the digits asked
for, were fixed before the runs that they judge. A claim asks two
questions: is there an effect worth the name, and is it as large as claimed? Each has a border, and
is answered by where the whole 95 % interval lies: ``yes`` beyond the border, ``no`` short of it,
``undecided`` on both sides. So two runs that differ by chance alone seldom contradict each other,
whatever is true: at a border both are undecided.
"""

from dataclasses import dataclass
from typing import Literal

REPRODUCED = "reproduced"
DIRECTION = "same direction"
NOT_REPRODUCED = "not reproduced"
UNDECIDED = "undecided"
NOT_DERIVABLE = "not derivable"
NOT_TESTED = "not tested"
VERDICTS = (REPRODUCED, DIRECTION, NOT_REPRODUCED, UNDECIDED, NOT_DERIVABLE, NOT_TESTED)

SEEDS_NEEDED = 5
"""Seeds without which nothing is reproduced, but for what no seed changes."""
SOME, LARGE = 0.25, 0.75
"""Shares of the claimed size from which on there is an effect, and it is as large as claimed."""
ROUNDING = 0.0005
"""A figure of BitOPs is given to a tenth of a per cent."""

Answer = Literal["yes", "no", "undecided"]


@dataclass(frozen=True)
class Borders:
    """What an effect is to lie beyond; with signs as it is measured.

    Attributes
    ----------
    some, large
        Borders of the two questions; the same where a claim has one alone.
    some_words, large_words
        What they are.
    falls
        Whether the effect is a fall: beyond is then below.
    """

    some: float
    large: float
    some_words: str
    large_words: str
    falls: bool = False


def borders(measure: str, value: float | None, margin: float | None) -> Borders:
    """Borders of a claim.

    Parameters
    ----------
    measure
        See :class:`nenni.run.claims_config.Claim`.
    value
        Size claimed, the least of several; None for a fall of any size.
    margin
        Of accuracy that is kept.
    """
    if measure == "clean_kept":
        assert margin is not None
        return Borders(-margin, -margin, "the margin", "the margin")
    if value is None:
        return Borders(0.0, 0.0, "no change", "no change", falls=True)
    quarter, quarters = "a quarter of what is claimed", "three quarters of what is claimed"
    if measure == "bitops_reduction":
        return Borders(SOME * value, value - ROUNDING, quarter, "what is claimed")
    falls = measure.endswith("_loss")
    sign = -1 if falls else 1
    return Borders(sign * SOME * value, sign * LARGE * value, quarter, quarters, falls)


def answer(low: float, high: float, border: float, falls: bool) -> Answer:
    """Whether an interval lies beyond a border."""
    if falls:
        low, high, border = -high, -low, -border
    if low >= border:
        return "yes"
    return "no" if high < border else "undecided"


@dataclass(frozen=True)
class Measured:
    """What a run measured.

    Attributes
    ----------
    value, low, high
        Shares.
    seeds
        Over which they are; None where no seed changes them.
    differs
        How it differs from what the claim is about, in words.
    unit
        Of 100 times the value.
    """

    value: float
    low: float
    high: float
    seeds: int | None
    differs: str
    unit: str = "points"


def verdict(measured: Measured, at: Borders) -> tuple[Answer, Answer, str, str]:
    """Both answers, the verdict, and its reason in a sentence."""
    some = answer(measured.low, measured.high, at.some, at.falls)
    large = answer(measured.low, measured.high, at.large, at.falls)
    few = measured.seeds is not None and measured.seeds < SEEDS_NEEDED
    if measured.seeds == 1 or some == "undecided":
        found = UNDECIDED
    elif some == "no":
        found = NOT_REPRODUCED
    elif large == "yes" and not few and not measured.differs:
        found = REPRODUCED
    else:
        found = DIRECTION
    said = [_where(measured, at, some, large), measured.differs]
    if found == NOT_REPRODUCED and answer(measured.low, measured.high, 0, at.falls) == "yes":
        said.insert(1, "an effect, but a smaller one")
    if measured.seeds == 1:
        said.append("one seed: its interval holds images only")
    elif few and found == DIRECTION:
        said.append(f"{measured.seeds} seeds of the {SEEDS_NEEDED} that 'reproduced' needs")
    return some, large, found, "; ".join(part for part in said if part)


def no_room(control: float, most: float, at: Borders) -> str:
    """Why no effect worth the name could show against a control; empty if it could.

    A radius at which nothing is left of any network that the run attacked so tells nothing between
    two of them. Nor is there room where the control has less than such an effect to gain or to
    lose. What the defence itself came to plays no role but in this `most`.

    Parameters
    ----------
    control : float
        Accuracy of the control.
    most : float
        Of the networks of the run, at the same radius under the same attack, the highest; 1 where
        an attack that leaves nothing is what the claim is about, as on an undefended network.
    at : Borders
        Of the claim.
    """
    some = abs(at.some)
    if at.falls:
        left = "" if control >= some else "there is too little to lose"
    elif most < some:
        left = "the attack leaves too little of any network"
    else:
        left = "" if 1 - control >= some else "there is too little to gain"
    told = f"{100 * control:.1f} % without it, and at most {100 * most:.1f} % of any"
    return left and f"{left} for {100 * some:.1f} points, {at.some_words}, to show: {told}"


def not_derivable(limit: float, value: float) -> str:
    """Why a figure of BitOPs cannot come out, whatever the approximation costs."""
    return (
        f"at most {100 * limit:.1f} % can go with so many neurons exact at such bits, and "
        f"{100 * value:.1f} % are claimed"
    )


_SIDE = {"yes": "beyond", "no": "short of", "undecided": "on both sides of"}


def _where(measured: Measured, at: Borders, some: Answer, large: Answer) -> str:
    """What was measured, and where it lies: by the second border only where it is needed."""
    value, low, high = map(_shown, (measured.value, measured.low, measured.high))
    interval = f" [{low}, {high}]" if measured.seeds is not None else ""
    told = f"{value} {measured.unit}{interval}, "
    first = f"{_SIDE[some]} {_border(at.some, at.some_words)}"
    second = f"{_SIDE[large]} {_border(at.large, at.large_words)}"
    if some != "yes" or at.some == at.large:
        return told + first
    return told + (second if large == "yes" else f"{first} and {second}")


def _border(value: float, words: str) -> str:
    return f"{_shown(value)}, {words}" if value else words


def _shown(share: float) -> str:
    """A hundred times a share with its sign, which 0 has none of but +."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"
