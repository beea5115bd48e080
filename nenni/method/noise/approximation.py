"""The noise of the paper: the error of the approximation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nenni.method.noise_base import Single

__all__ = ["Approximation"]


@dataclass(frozen=True)
class Approximation(Single):
    """z' = m z + (1 - m) z~: the noise is z~ - z (NENNI, section 3). It costs nothing more."""

    def value(
        self, z: Tensor, z_tilde: Tensor, deviation: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Z~ itself."""
        return z_tilde
