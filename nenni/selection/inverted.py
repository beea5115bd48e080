"""Control: the noise goes into the essential neurons."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nenni.selection._ranking import largest
from nenni.types import Fraction

__all__ = ["Inverted"]


@dataclass(frozen=True)
class Inverted:
    """m = 1 on the given fraction of neurons with the *smallest* score.

    The opposite of ``topk`` at the same cost. A defence whose benefit comes from sparing the
    essential neurons must do worse with it.

    Parameters
    ----------
    fraction : float
        Share of neurons of each sample that are computed exactly, in [0, 1].
    """

    fraction: Fraction
    randomised: ClassVar[bool] = False

    def mask(self, score: Tensor, generator: torch.Generator) -> Tensor:
        """Neurons to compute exactly, of a score (N, C, ...)."""
        return largest(-score, self.fraction)

    def nominal(self) -> float:
        """Fraction of neurons computed exactly."""
        return self.fraction
