"""The one rule for the unit of eps, and the one place where it changes.

Everything in Python and in tables is in units of the [0, 1] input. A config, and what people read,
has L-inf radii in 1/255, as papers do, and L2 radii in units of the input.
"""

from nenni.core.errors import UserError
from nenni.core.types import LARGEST_RADIUS, Norm

_LEVELS = 255


def from_config(eps: float, norm: Norm) -> float:
    """A config's radius in units of the input."""
    return eps / _LEVELS if norm == "linf" else eps


def to_read(eps: float, norm: Norm) -> float:
    """A radius as people read it: 8 for an L-inf radius of 8/255."""
    return eps * _LEVELS if norm == "linf" else eps


def shown(eps: float, norm: Norm) -> str:
    """A radius in words: ``8/255``, or ``0.5`` for L2."""
    return f"{to_read(eps, norm):g}/{_LEVELS}" if norm == "linf" else f"{eps:g}"


def check(eps: float, norm: Norm) -> float:
    """The radius as a float, if a config could have it.

    Raises
    ------
    UserError
        If it is negative, not a number or too large, as 8 is where 8/255 is meant.
    """
    try:
        eps = float(eps)
    except (TypeError, ValueError):
        raise UserError(f"eps should be a number, got {eps!r}") from None
    if 0 <= to_read(eps, norm) <= LARGEST_RADIUS:
        return eps
    largest = from_config(LARGEST_RADIUS, norm)
    remedy = f": write {eps:g}/{_LEVELS}" if norm == "linf" and 1 < eps <= _LEVELS else ""
    raise UserError(
        f"eps is in units of the [0, 1] input, for {norm} from 0 to {largest:g}; got {eps:g}"
        f"{remedy}"
    )
