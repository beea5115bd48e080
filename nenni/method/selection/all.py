"""Control: every neuron is essential."""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.method.selection_base import Selection, Tile

__all__ = ["All"]


@dataclass(frozen=True)
class All(Selection):
    """m = 1: the exact network at the exact path's bits, through the injected layers."""

    judges = "nothing"

    def mask(self, score: Tensor) -> Tensor:
        """Ones of the shape of a score."""
        return torch.ones_like(score, dtype=torch.bool)

    def margin(self, score: Tensor, mask: Tensor) -> None:
        """No score changes the mask."""
        return None

    def nominal(self) -> float:
        """1."""
        return 1.0

    def tile(self) -> Tile:
        """All neurons alike."""
        return None, None
