"""A fixed threshold per layer: the neurons above it are essential."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import Fraction
from nenni.method.fused.comparing import positive
from nenni.method.selection_base import Selection

__all__ = ["Threshold"]


@dataclass(frozen=True)
class Threshold(Selection):
    """m = 1 where the score exceeds the threshold of the layer.

    The fit sets the threshold so that the fraction holds on average over its images; on others it
    varies from sample to sample, and an attacker may change it.

    Parameters
    ----------
    fraction : float
        Share of essential neurons on the images of the fit, in [0, 1].
    """

    fraction: Fraction
    ranks: ClassVar[bool] = False
    calibrated: ClassVar[bool] = True

    def mask(self, score: Tensor) -> Tensor:
        """Essential neurons of a score (N, C, ...) less the threshold."""
        return positive(score)

    def margin(self, score: Tensor, mask: Tensor) -> Tensor:
        """The score itself, which comes less the threshold."""
        return score

    def nominal(self) -> float:
        """Fraction of essential neurons on the images of the fit."""
        return self.fraction

    def comparisons(self, channels: int) -> int:
        """1 a neuron."""
        return channels
