"""The classical dense projection."""

import math

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.method.projection_base import Drawn

__all__ = ["Gaussian"]


@dataclass(frozen=True)
class Gaussian(Drawn):
    """P in N(0, 1/k)^(k x d), independent at every input.

    Johnson, Lindenstrauss, Contemporary Mathematics 26, 1984; in this form Indyk, Motwani, STOC
    1998. |Px|^2 is unbiased for |x|^2, with variance 2 |x|^4 / k. Costs M k d multiply-accumulates
    with real weights: more than a dense layer of k neurons, a control rather than a saving.
    """

    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        """Draw P, (k, d)."""
        return torch.randn(k, d, generator=generator, device=generator.device) / math.sqrt(k)
