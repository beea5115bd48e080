"""A number over constants that may be others than they are taken to be."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwmodel.assumptions import Assumption, Value

Number = Callable[[Mapping[Assumption, Value]], float]
"""What a number is where some constants have other values."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its range."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Flip:
    """One constant that by itself turns a gain into a loss, or a loss into a gain.

    Attributes
    ----------
    assumption
        Which.
    end
        The value at which it does.
    result
        Speed-up, or share of energy saved, there.
    """

    assumption: Assumption
    end: Value
    result: float


def interval(number: Number, alone: Sequence[tuple[Assumption, Value]]) -> Interval:
    """A number at the point, its least and its most.

    Of the point itself, of each constant moved alone to each end, and of all moved together to the
    ends that favour, or that harm, the number most: where it rises or falls with each constant,
    whatever the others are, its least and its most.

    Parameters
    ----------
    number
        What it is where some constants have other values.
    alone
        Each constant with each of its ends.
    """
    point = number({})
    found = [point, *(number({assumption: end}) for assumption, end in alone)]
    for sign in (-1, 1):
        best: dict[Assumption, tuple[float, Value]] = {}
        for assumption, end in alone:
            moved = sign * (number({assumption: end}) - point)
            if moved > best.get(assumption, (0.0, end))[0]:
                best[assumption] = moved, end
        found.append(number({assumption: end for assumption, (_, end) in best.items()}))
    return Interval(point, min(found), max(found))


def flips(number: Number, alone: Iterable[tuple[Assumption, Value]], border: float) -> list[Flip]:
    """Constants that by themselves take a number to the other side of a border, furthest first."""
    point = number({})
    moved = [Flip(assumption, end, number({assumption: end})) for assumption, end in alone]
    other = [flip for flip in moved if (flip.result > border) != (point > border)]
    return sorted(other, key=lambda flip: -abs(flip.result - point))
