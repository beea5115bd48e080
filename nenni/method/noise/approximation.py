"""The noise of the paper: the error of the approximation."""

from dataclasses import dataclass

from torch import Tensor

from nenni.method.noise_base import Noise

__all__ = ["Approximation"]


@dataclass(frozen=True)
class Approximation(Noise):
    """z' = m z + (1 - m) z~: the noise is z~ - z (NENNI, section 3). It costs nothing more."""

    uses = "approximate"

    def value(self, z: Tensor, z_tilde: Tensor, deviation: Tensor) -> Tensor:
        """Z~ itself."""
        return z_tilde
