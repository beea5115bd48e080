"""What a noise is, and what most have in common."""

from typing import ClassVar, Protocol

import torch
from torch import Tensor


class Noise(Protocol):
    """Gives the non-essential neurons their value; see :mod:`nenni.method.noise`."""

    @property
    def randomised(self) -> bool:
        """Whether two calls on the same values differ."""

    def approximations(self) -> int:
        """Number of approximations of each layer, one of which each forward pass uses."""

    def value(
        self, z: Tensor, z_tilde: Tensor, deviation: Tensor, generator: torch.Generator
    ) -> Tensor:
        """What the non-essential neurons get, of the shape of `z`."""


class Single:
    """No draws, and one approximation of each layer."""

    randomised: ClassVar[bool] = False

    def approximations(self) -> int:
        """One per layer, if only for the selection."""
        return 1
