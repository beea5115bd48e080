"""Control: the non-essential neurons are dropped."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

__all__ = ["Zero"]


@dataclass(frozen=True)
class Zero:
    """z' = m z: the noise is -z, of the layer's own variance.

    A sparse activation (k winners take all) without any approximation of the others. Costs what
    the paper's noise does: z~ still selects.
    """

    randomised: ClassVar[bool] = False

    def value(
        self, z: Tensor, z_tilde: Tensor, deviation: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Zeros of the shape of z~."""
        return torch.zeros_like(z_tilde)

    def approximations(self) -> int:
        """One per layer, for the selection."""
        return 1
