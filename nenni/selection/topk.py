"""Top-k per sample: the largest neurons of a layer are essential."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nenni.selection._ranking import largest
from nenni.types import Fraction

__all__ = ["TopK"]


@dataclass(frozen=True)
class TopK:
    """m = 1 on the given fraction of neurons with the largest score (NENNI, section 3).

    Costs about 3 comparisons per neuron by quickselect.

    Parameters
    ----------
    fraction : float
        Share of essential neurons of each sample in the layer, in [0, 1].
    """

    fraction: Fraction
    randomised: ClassVar[bool] = False

    def mask(self, score: Tensor, generator: torch.Generator) -> Tensor:
        """Essential neurons of a score (N, C, ...)."""
        return largest(score, self.fraction)

    def nominal(self) -> float:
        """Fraction of essential neurons."""
        return self.fraction
