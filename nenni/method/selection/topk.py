"""Top-k per sample: the largest neurons of a layer are essential."""

from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import Fraction
from nenni.method.ranking import distance, largest
from nenni.method.selection_base import Selection

__all__ = ["TopK"]


@dataclass(frozen=True)
class TopK(Selection):
    """m = 1 on the given fraction of neurons with the largest score (NENNI, section 3).

    Parameters
    ----------
    fraction : float
        Share of essential neurons of each sample in the layer, in [0, 1].
    """

    fraction: Fraction

    def mask(self, score: Tensor) -> Tensor:
        """Essential neurons of a score (N, C, ...)."""
        return largest(score, self.fraction)

    def margin(self, score: Tensor, mask: Tensor) -> Tensor:
        """Score less the value that parts each sample's essential neurons from the others."""
        return distance(score, mask)

    def nominal(self) -> float:
        """Fraction of essential neurons."""
        return self.fraction
