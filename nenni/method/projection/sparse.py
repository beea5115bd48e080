"""The projection of the paper: sparse and ternary over all d inputs."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.method.projection_base import Drawn, ternary

__all__ = ["Sparse"]


@dataclass(frozen=True)
class Sparse(Drawn):
    """P in sqrt(3/k) {-1, 0, +1}^(k x d), independent at every input (NENNI, section 3).

    Costs M k d / 3 additions per layer in expectation. With ratio 1/8 and as many output as input
    channels, a 3x3 convolution has k/n = 9/8: the projection is as large as the layer itself.
    """

    real: ClassVar[bool] = False

    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        """Draw P, (k, d)."""
        return ternary(k, d, generator)
