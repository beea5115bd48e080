"""What a projection is, what it declares of itself, and what all have in common."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import Ratio


class Projection(ABC):
    """Draws the matrix P; see :mod:`nenni.method.projection`.

    Attributes
    ----------
    shared_taps : bool
        Whether P acts on channels only.
    learned : bool
        Whether the fit replaces the drawn matrix by one learned from the inputs.
    real : bool
        Whether the entries are real numbers of 32 bits, each of which takes a multiplication (the
        default); if not they are 0 and +-1 up to a scale, and each of +-1 takes an addition.
    """

    shared_taps: ClassVar[bool] = False
    learned: ClassVar[bool] = False
    real: ClassVar[bool] = True

    @abstractmethod
    def rows(self, d: int) -> int:
        """Rows of P for d inputs."""

    @abstractmethod
    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        """The matrix P, (k, d)."""

    def nonzero_bits(self, rows: int, columns: int) -> int:
        """Bits that store an entry of +-1: the index of its column and its sign by default."""
        return index_bits(columns) + 1


class LearnedProjection(Projection):
    """A projection that is learned from the inputs."""

    learned: ClassVar[bool] = True

    @abstractmethod
    def learn(self, k: int, covariance: Tensor) -> Tensor:
        """The matrix P, (k, d), from the inputs' covariance (d, d)."""


@dataclass(frozen=True)
class Drawn(Projection):
    """A projection to a share of the inputs, or of the channels where the taps are shared.

    Parameters
    ----------
    ratio : float
        k/d, above 0 and up to 1.
    """

    ratio: Ratio

    def rows(self, d: int) -> int:
        """Rows k of P for d inputs, at least 1."""
        return max(1, round(self.ratio * d))


def index_bits(count: int) -> int:
    """Bits that tell so many rows or columns apart."""
    return (count - 1).bit_length()


def ternary(k: int, d: int, generator: torch.Generator) -> Tensor:
    """Matrix (k, d) in sqrt(3/k) * {-1, 0, +1} with probabilities 1/6, 2/3, 1/6.

    |Px|^2 is unbiased for |x|^2 (Achlioptas, J. Computer and System Sciences 66, 2003, theorem 1.1;
    NENNI, section 3). Two thirds of the products vanish and the others are additions.
    """
    die = torch.randint(6, (k, d), generator=generator, device=generator.device)
    signs = (die == 0).float() - (die == 1).float()
    return math.sqrt(3 / k) * signs
