"""Control: a random selection, drawn afresh at each forward pass."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import Fraction
from nenni.method.ranking import largest
from nenni.method.selection_base import Selection

__all__ = ["Random"]


@dataclass(frozen=True)
class Random(Selection):
    """m = 1 on a fraction of neurons chosen without looking at them.

    If it does as well as ``topk``, then which neurons are exact does not matter. It is a randomised
    defence: one lucky draw proves nothing, so evaluations score each image on several draws.

    Parameters
    ----------
    fraction : float
        Share of essential neurons of each sample in the layer, in [0, 1].
    """

    fraction: Fraction
    judges = "nothing"
    randomised: ClassVar[bool] = True

    def mask(self, score: Tensor) -> Tensor:
        """Essential neurons for a score (N, C, ...), of which only the shape matters."""
        return largest(torch.rand(score.shape, device=score.device), self.fraction)

    def margin(self, score: Tensor, mask: Tensor) -> None:
        """No score changes the mask."""
        return None

    def nominal(self) -> float:
        """Fraction of essential neurons."""
        return self.fraction
