"""Whole channels are essential or not."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import Fraction
from nenni.method.ranking import midpoint, top_k
from nenni.method.selection_base import Selection, Tile

__all__ = ["Channel"]


@dataclass(frozen=True)
class Channel(Selection):
    """m = 1 on the fraction of channels with the largest mean score over their positions.

    On a linear layer it is ``topk``.

    Parameters
    ----------
    fraction : float
        Share of essential channels of each sample in the layer, in [0, 1].
    """

    fraction: Fraction
    ranks: ClassVar[bool] = False

    def mask(self, score: Tensor) -> Tensor:
        """Essential neurons of a score (N, C, ...)."""
        return _spread(top_k(_means(score.detach()), self.fraction), score)

    def margin(self, score: Tensor, mask: Tensor) -> Tensor:
        """A channel's mean less the value that parts the essential channels from the others."""
        means = _means(score)
        chosen = mask.flatten(2)[:, :, 0] if mask.dim() > 2 else mask
        return _spread(means - midpoint(means, chosen, 1), score)

    def nominal(self) -> float:
        """Fraction of essential channels."""
        return self.fraction

    def tile(self) -> Tile:
        """A channel at all positions."""
        return 1, None

    def additions(self, channels: int) -> int:
        """Each neuron to its channel's score; the top-k over the channels is neglected."""
        return channels


def _means(score: Tensor) -> Tensor:
    return score.contiguous().flatten(2).mean(2) if score.dim() > 2 else score


def _spread(values: Tensor, score: Tensor) -> Tensor:
    return values.view(*values.shape, *(1,) * (score.dim() - 2)).expand(score.shape)
