"""What a noise is, and what it declares of itself."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor


class Noise(ABC):
    """Gives the non-essential neurons their value; see :mod:`nenni.method.noise`.

    Attributes
    ----------
    uses : "approximate", "exact" or "nothing"
        What the value is made from: z~ itself, the exact z with something added, for which z is
        computed for all neurons (the default, which saves nothing), or neither of them.
    randomised : bool
        Whether two calls on the same values differ.
    """

    uses: ClassVar[Literal["approximate", "exact", "nothing"]] = "exact"
    randomised: ClassVar[bool] = False

    @abstractmethod
    def value(self, z: Tensor, z_tilde: Tensor, deviation: Tensor) -> Tensor:
        """What the non-essential neurons get, of the shape of `z`."""

    def approximations(self) -> int:
        """Number of approximations of each layer, one of which each forward pass uses."""
        return 1
