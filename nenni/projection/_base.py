"""What the projections have in common."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from nenni.types import Ratio


@dataclass(frozen=True)
class Drawn:
    """A projection to a share of the inputs, over all of them, drawn at random.

    Parameters
    ----------
    ratio : float
        k/d, above 0 and up to 1.
    """

    ratio: Ratio
    shared_taps: ClassVar[bool] = False
    learned: ClassVar[bool] = False

    def rows(self, d: int) -> int:
        """Rows k of P for d inputs, at least 1."""
        return max(1, round(self.ratio * d))
