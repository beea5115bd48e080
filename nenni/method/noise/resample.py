"""The randomised variant: another projection for each image at each forward pass."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import Few
from nenni.method.noise_base import Noise

__all__ = ["Resample"]


@dataclass(frozen=True)
class Resample(Noise):
    """z~ by one of several fitted (P, W~, b~), drawn for each image and layer at each forward pass.

    An attacker knows all of them, not the draw. Costs the operations of the paper's noise and
    `pool` times its storage.

    Parameters
    ----------
    pool : int
        Number of approximations of each layer.
    """

    pool: Few = 4
    uses = "approximate"
    randomised: ClassVar[bool] = True

    def value(self, z: Tensor, z_tilde: Tensor, deviation: Tensor) -> Tensor:
        """Z~ of the drawn approximation."""
        return z_tilde

    def approximations(self) -> int:
        """The pool's size."""
        return self.pool
