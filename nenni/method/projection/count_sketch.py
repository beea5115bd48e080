"""The cheapest projection over all inputs: each is added once."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.method.projection_base import Drawn, index_bits

__all__ = ["CountSketch"]


@dataclass(frozen=True)
class CountSketch(Drawn):
    """P with a single +1 or -1 in each column, in a random row.

    Charikar, Chen, Farach-Colton, Theoretical Computer Science 312, 2004; as a projection
    Weinberger et al., ICML 2009. |Px|^2 is unbiased for |x|^2, with variance
    2 (|x|_2^4 - |x|_4^4) / k. Costs M d additions, whatever k.
    """

    real: ClassVar[bool] = False

    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        """Draw P, (k, d)."""
        device = generator.device
        row = torch.randint(k, (1, d), generator=generator, device=device)
        sign = torch.randint(2, (1, d), generator=generator, device=device) * 2.0 - 1
        return torch.zeros(k, d, device=device).scatter_(0, row, sign)

    def nonzero_bits(self, rows: int, columns: int) -> int:
        """The index of a row and a sign: each column has one entry."""
        return index_bits(rows) + 1
