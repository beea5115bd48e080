"""What a projection is, and what all have in common."""

import math
from typing import ClassVar, Protocol

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import Ratio


class Projection(Protocol):
    """Draws the matrix P; see :mod:`nenni.method.projection`."""

    @property
    def shared_taps(self) -> bool:
        """Whether P acts on channels only."""

    @property
    def learned(self) -> bool:
        """Whether the fit replaces the drawn matrix by one learned from the inputs."""

    def rows(self, d: int) -> int:
        """Rows of P for d inputs."""

    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        """The matrix P, (k, d)."""


class LearnedProjection(Projection, Protocol):
    """A projection that is learned from the inputs."""

    def learn(self, k: int, covariance: Tensor) -> Tensor:
        """The matrix P, (k, d), from the inputs' covariance (d, d)."""


@dataclass(frozen=True)
class Drawn:
    """A projection to a share of the inputs, over all of them, drawn at random.

    Parameters
    ----------
    ratio : float
        k/d, above 0 and up to 1.
    """

    ratio: Ratio
    shared_taps: ClassVar[bool] = False
    learned: ClassVar[bool] = False

    def rows(self, d: int) -> int:
        """Rows k of P for d inputs, at least 1."""
        return max(1, round(self.ratio * d))


def ternary(k: int, d: int, generator: torch.Generator) -> Tensor:
    """Matrix (k, d) in sqrt(3/k) * {-1, 0, +1} with probabilities 1/6, 2/3, 1/6.

    |Px|^2 is unbiased for |x|^2 (Achlioptas, J. Computer and System Sciences 66, 2003, theorem 1.1;
    NENNI, section 3). Two thirds of the products vanish and the others are additions.
    """
    die = torch.randint(6, (k, d), generator=generator, device=generator.device)
    signs = (die == 0).float() - (die == 1).float()
    return math.sqrt(3 / k) * signs
