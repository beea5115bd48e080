"""Constrained numbers, for the parameters that a config may set.

Plugins annotate their keyword-only parameters with these names (or with int, float, bool, str,
list): :mod:`nenni.core.plugins` reads the annotations from the source and refuses what does not fit
before any job starts.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class AtMost:
    """Bound by another setting: ``n: Annotated[Count, AtMost("m")]``."""

    other: str


@dataclass(frozen=True)
class OnRandomised:
    """What a suite sets for a randomised network: ``Annotated[bool, OnRandomised(False)]``."""

    value: object


Count = Annotated[int, Field(ge=1)]
"""A whole number of 1 or more."""
Index = Annotated[int, Field(ge=0)]
"""A whole number of 0 or more."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above 0."""
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite number of 0 or more."""
Fraction = Annotated[float, Field(ge=0, le=1)]
"""A share, from 0 to 1."""
Ratio = Annotated[float, Field(gt=0, le=1)]
"""A share above 0, up to 1."""
Bits = Literal[2, 3, 4, 5, 6, 7, 8, 16, 32]
"""Width of a number; 32 stands for no rounding."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
"""A name that a config gives to a part of itself."""
LARGEST_RADIUS = 255
Radius = Annotated[float, Field(ge=0, le=LARGEST_RADIUS)]
"""Radius of a ball. In Python in units of the [0, 1] input, whatever the norm; in a config L-inf
radii are in 1/255 and L2 radii in units of the input (:mod:`nenni.core.radius`)."""
Norm = Literal["linf", "l2"]
"""What bounds a perturbation: its largest component, or its Euclidean length."""
LInf = Literal["linf"]
"""For an attack that knows this norm only."""
L2 = Literal["l2"]
"""For an attack that knows this norm only."""
Loss = Literal["ce", "margin", "dlr", "pm"]
"""What an attack raises: see :mod:`nenni.adversary.losses`."""
File = Annotated[str, Field(min_length=1)]
"""A file that a config names: the job reruns when its content changes."""
Folder = Annotated[str, Field(min_length=1)]
"""A folder that a config names."""
Passes = Annotated[int, Field(ge=1)]
"""Passes that an attack averages its gradient over: a suite raises it for a randomised network."""
AutoAttackVersion = Literal["standard", "rand"]
"""See :mod:`nenni.adversary.attacks.autoattack`."""
