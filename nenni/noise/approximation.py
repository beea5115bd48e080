"""The noise of the paper: the error of the approximation."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

__all__ = ["Approximation"]


@dataclass(frozen=True)
class Approximation:
    """z' = m z + (1 - m) z~: the noise is z~ - z (NENNI, section 3). It costs nothing more."""

    randomised: ClassVar[bool] = False

    def value(
        self, z: Tensor, z_tilde: Tensor, deviation: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Z~ itself."""
        return z_tilde

    def approximations(self) -> int:
        """One per layer."""
        return 1
