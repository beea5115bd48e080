"""Control: no neuron is essential."""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.method.selection_base import Selection, Tile

__all__ = ["Nothing"]


@dataclass(frozen=True)
class Nothing(Selection):
    """m = 0: noise on every neuron, the approximation alone with the paper's noise."""

    judges = "nothing"

    def mask(self, score: Tensor) -> Tensor:
        """Zeros of the shape of a score."""
        return torch.zeros_like(score, dtype=torch.bool)

    def margin(self, score: Tensor, mask: Tensor) -> None:
        """No score changes the mask."""
        return None

    def nominal(self) -> float:
        """0."""
        return 0.0

    def tile(self) -> Tile:
        """All neurons alike."""
        return None, None
