"""Constrained numbers, for the parameters that a config may set.

Plugins annotate their keyword-only parameters with these names (or with int, float, bool, str,
list): :mod:`nenni.core.plugins` reads the annotations from the source and refuses what does not fit
before any job starts.
"""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

T = TypeVar("T")


@dataclass(frozen=True)
class AtMost:
    """Bound by another setting: ``n: Annotated[Count, AtMost("m")]``."""

    other: str


@dataclass(frozen=True)
class OnRandomised:
    """What a suite sets for a randomised network: ``Annotated[bool, OnRandomised(False)]``."""

    value: object


NUMBER = "%.8g"
"""How tables keep numbers, but for eps."""
LARGEST_WHOLE = 2**31 - 1
"""Whole numbers up to it are taken by every part of torch, and kept by every table."""
LARGEST_NUMBER = 1e9
"""Numbers up to it, and their squares, are finite in single precision."""

Count = Annotated[int, Field(ge=1, le=LARGEST_WHOLE)]
"""A whole number of 1 or more."""
Index = Annotated[int, Field(ge=0, le=LARGEST_WHOLE)]
"""A whole number of 0 or more."""
Few = Annotated[int, Field(ge=1, le=1024)]
"""A whole number of things that are all there at once: threads, neighbours, approximations."""
FewOrNone = Annotated[int, Field(ge=0, le=1024)]
"""The same, or 0."""
MOST_CLASSES = 1_000_000
"""Labels beyond this are no classes."""
Classes = Annotated[int, Field(ge=2, le=MOST_CLASSES)]
"""Number of classes."""
Width = Annotated[int, Field(ge=1, le=65_536)]
"""Channels or neurons of a layer."""
Pixels = Annotated[int, Field(ge=1, le=16_384)]
"""Side of an image."""
Number = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
"""A finite number."""
Positive = Annotated[float, Field(gt=0, le=LARGEST_NUMBER)]
"""A finite number above 0."""
NonNegative = Annotated[float, Field(ge=0, le=LARGEST_NUMBER)]
"""A finite number of 0 or more."""
Deviation = Annotated[float, Field(ge=1 / LARGEST_NUMBER, le=LARGEST_NUMBER)]
"""A number to divide by."""
Fraction = Annotated[float, Field(ge=0, le=1)]
"""A share, from 0 to 1."""
Ratio = Annotated[float, Field(gt=0, le=1)]
"""A share above 0, up to 1."""
Decay = Annotated[float, Field(ge=0, lt=1)]
"""Weight of what was before, from 0 to below 1: at 1 nothing would ever be forgotten."""
Inches = Annotated[float, Field(ge=1, le=20)]
"""Side of a figure or of a panel."""
Bits = Literal[2, 3, 4, 5, 6, 7, 8, 16, 32]
"""Width of a number; 32 stands for no rounding."""
LONGEST_NAME = 100
"""Characters of a name."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=LONGEST_NAME)]
"""A name that a config gives to a part of itself; two of them, and an ending, are one of a file."""
LARGEST_RADIUS = 255
Radius = Annotated[float, Field(ge=0, le=LARGEST_RADIUS)]
"""Radius of a ball. In Python in units of the [0, 1] input, whatever the norm; in a config L-inf
radii are in 1/255 and L2 radii in units of the input (:mod:`nenni.core.radius`)."""
Inputs = Literal["injected", "exact"]
"""Of a layer: those that it gets behind the injected layers before it, or in the exact network."""
BatchNorms = Literal["kept", "measured"]
"""Statistics of batch norms: the exact network's, or those of what they get in the injected one."""
Norm = Literal["linf", "l2"]
"""What bounds a perturbation: its largest component, or its Euclidean length."""
LInf = Literal["linf"]
"""For an attack that knows this norm only."""
L2 = Literal["l2"]
"""For an attack that knows this norm only."""
Loss = Literal["ce", "margin", "dlr", "pm"]
"""What an attack raises: see :mod:`nenni.adversary.losses`."""


def blocks(depth: int, others: int) -> int:
    """Blocks n of each stage in a network of 6 n layers and some others; a ValueError if none."""
    n, rest = divmod(depth - others, 6)
    if n < 1 or rest:
        raise ValueError(f"should be 6 n + {others}, such as {18 + others} or {30 + others}")
    return n


def _of_blocks(depth: int, others: int) -> int:
    blocks(depth, others)
    return depth


def _path(text: str) -> str:
    """Text that can be a path on any common system."""
    if not text or not all(c.isprintable() for c in text):
        raise ValueError("should be a path, of printable characters")
    if len(text.encode()) > 1000 or any(len(p.encode()) > 200 for p in text.split("/")):
        raise ValueError("should be a path of at most 1000 bytes, 200 between slashes")
    return text


def _wildcards(text: str) -> str:
    """Text that can match the name or the type of a layer."""
    if not text.isprintable() or not text.removeprefix("!").removeprefix("type:").strip():
        raise ValueError("should be a pattern of names, or of types after 'type:'")
    return text


def _import_path(text: str) -> str:
    module, _, function = text.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise ValueError("a model of one's own should be MODULE:FUNCTION")
    return text


def different(values: list[T]) -> list[T]:
    """The values, if none is given twice."""
    for value, count in Counter(values).items():
        if count > 1:
            raise ValueError(f"{value} is given {count} times")
    return values


def apart(values: list[float]) -> list[float]:
    """The numbers, if tables tell them apart, which keep 8 digits (:mod:`nenni.core.io`)."""
    seen: dict[str, float] = {}
    for value in values:
        other = seen.setdefault(NUMBER % value, value)
        if other is not value:
            raise ValueError(
                f"{other!r} and {value!r} are the same in a table, which keeps 8 digits"
            )
    return values


CifarDepth = Annotated[int, Field(ge=1, le=2000), AfterValidator(partial(_of_blocks, others=2))]
"""Depth of a residual network with three stages of two-layer blocks, 6 n + 2."""
WideDepth = Annotated[int, Field(ge=1, le=2000), AfterValidator(partial(_of_blocks, others=4))]
"""The same of a wide one, 6 n + 4."""
Text = Annotated[str, Field(max_length=1000)]
"""A word or a sentence."""
File = Annotated[str, AfterValidator(_path)]
"""A file that a config names, which is there: the job reruns when its content changes."""
Folder = Annotated[str, AfterValidator(_path)]
"""A folder that a config names, which is there."""
Place = Annotated[str, AfterValidator(_path)]
"""A file or folder that may not be there."""
Pattern = Annotated[str, Field(max_length=1000), AfterValidator(_wildcards)]
"""What names or types of layers are matched with, see :func:`nenni.method.spec.matches`."""
ImportPath = Annotated[str, AfterValidator(_import_path)]
"""A function of a module."""
Values = Annotated[list[T], Field(min_length=1, max_length=1000)]
"""A list of at least one value."""
Several = Annotated[
    list[T],
    Field(min_length=1, max_length=1000, json_schema_extra={"uniqueItems": True}),
    AfterValidator(different),
]
"""A list of at least one value, none of them twice."""
Grid = Annotated[Several[T], AfterValidator(apart)]
"""The same, of numbers that tables tell apart."""
Passes = Annotated[int, Field(ge=1, le=LARGEST_WHOLE)]
"""Passes that an attack averages its gradient over: a suite raises it for a randomised network."""
AutoAttackVersion = Literal["standard", "rand"]
"""See :mod:`nenni.adversary.attacks.autoattack`."""
