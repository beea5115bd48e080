"""Numbers of the tables in words, for the pages that are made from them."""

from collections.abc import Iterable
from typing import Any

from nenni.core import radius

Row = Any
"""A row of a table, whose columns are attributes."""
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def percent(share: float, decimals: int = 1) -> str:
    """A share in per cent."""
    return f"{100 * share:.{decimals}f} %"


def factor(ratio: float) -> str:
    """A ratio to two digits or more."""
    return f"{ratio:.1f}"


def count(number: float) -> str:
    """A number of things, in letters where it is small."""
    number = int(number)
    return _WORDS[number] if number < len(_WORDS) else f"{number:,}"


def shown(found: Row) -> str:
    """The radius of a row, ``76.5/255``; L-inf where it does not say."""
    return radius.shown(found.eps, getattr(found, "norm", "linf"))


def seeds(found: Row) -> str:
    """How many seeds a row is over: ``two seeds``; one where it does not say."""
    each = getattr(found, "clean_seeds", None)
    number = getattr(found, "seeds", 1) if each is None else len(each.split())
    return f"{count(number)} seed" + ("s" if number != 1 else "")


def difference(value: float, other: float) -> str:
    """How far one share lies from another: ``12.8 points below``."""
    gap = f"{abs(100 * (value - other)):.1f}"
    if gap == "0.0":
        return "level with"
    return f"{gap} points {'below' if value < other else 'above'}"


def change(value: float, low: float | None = None, high: float | None = None) -> str:
    """A change of a share: ``falls by 12.8 points (11.0 to 14.5)``."""
    if f"{abs(100 * value):.1f}" == "0.0":
        text, sign = "stays the same", 1
    else:
        text = f"{'falls' if value < 0 else 'rises'} by {abs(100 * value):.1f} points"
        sign = -1 if value < 0 else 1
    if low is None or high is None:
        return text
    near, far = sorted((sign * low, sign * high))
    near, far = (round(100 * value, 1) + 0.0 for value in (near, far))  # no -0.0
    return f"{text} ({near:.1f} to {far:.1f})"


def fewer(reduction: float, decimals: int = 1, word: str = "fewer") -> str:
    """A reduction in words: ``71.2 % fewer``, ``12.0 % more``."""
    return f"{percent(abs(reduction), decimals)} {'more' if reduction < 0 else word}"


def span(values: Iterable[float]) -> str:
    """The least and the largest of some ratios: ``1.5 to 2.3``."""
    ordered = sorted(values)
    texts = [factor(value) for value in (ordered[0], ordered[-1])]
    return " to ".join(dict.fromkeys(texts))
