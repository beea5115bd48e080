"""Control: the noise goes into the essential neurons."""

from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import Fraction
from nenni.method.ranking import distance, largest
from nenni.method.selection_base import Selection

__all__ = ["Inverted"]


@dataclass(frozen=True)
class Inverted(Selection):
    """m = 1 on the given fraction of neurons with the *smallest* score.

    The opposite of ``topk`` at the same cost. A defence whose benefit comes from sparing the
    essential neurons must do worse with it.

    Parameters
    ----------
    fraction : float
        Share of neurons of each sample that are computed exactly, in [0, 1].
    """

    fraction: Fraction

    def mask(self, score: Tensor) -> Tensor:
        """Neurons to compute exactly, of a score (N, C, ...)."""
        return largest(-score, self.fraction)

    def margin(self, score: Tensor, mask: Tensor) -> Tensor:
        """Value that parts the neurons computed exactly from the others, less the score."""
        return distance(-score, mask)

    def nominal(self) -> float:
        """Fraction of neurons computed exactly."""
        return self.fraction
