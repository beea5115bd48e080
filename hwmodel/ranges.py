"""A number over constants that may be others than they are taken to be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hwmodel.assumptions import Assumption, Value

Number = Callable[[Mapping[Assumption, Value]], float]
"""What a number is where some constants have other values."""
_SAME = 1e-3
"""A number that differs from a border by less is on neither side."""


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


def interval(number: Number, constants: Sequence[Assumption]) -> Interval:
    """A number at the point, the least and the most that was found of it.

    From the point one constant after the other is moved to that of its values which favours, or
    harms, the number most, those before it staying where they are, until none moves. Where a number
    rises or falls with each constant, whatever the others are, these are its least and its most;
    otherwise there may be others yet.

    Parameters
    ----------
    number
        What it is where some constants have other values.
    constants
        With their ends; values between these are not tried.
    """
    return Interval(number({}), _extreme(number, constants, -1), _extreme(number, constants, 1))


def _extreme(number: Number, constants: Sequence[Assumption], sign: int) -> float:
    values: dict[Assumption, Value] = {}
    best = number(values)
    moved = True
    while moved:
        moved = False
        for one in constants:
            for value in (one.value, *one.ends):
                tried = values | {one: value}
                if sign * (found := number(tried)) > sign * best:
                    best, values, moved = found, tried, True
    return best


def flips(number: Number, constants: Sequence[Assumption], border: float) -> list[Flip]:
    """Constants that by themselves take a number to the other side of a border, furthest first."""
    point = number({})
    moved = [Flip(one, end, number({one: end})) for one in constants for end in one.ends]
    side = _side(point - border)
    other = [flip for flip in moved if side * _side(flip.result - border) < 0]
    return sorted(other, key=lambda flip: -abs(flip.result - point))


def _side(difference: float) -> int:
    return 0 if abs(difference) < _SAME else 1 if difference > 0 else -1
