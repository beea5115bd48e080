"""What the method asks of its plugins."""

from typing import Protocol

import torch
from torch import Tensor, nn


class Selection(Protocol):
    """Chooses the essential neurons; see :mod:`nenni.selection`."""

    @property
    def randomised(self) -> bool:
        """Whether two calls on the same score differ."""

    def mask(self, score: Tensor, generator: torch.Generator) -> Tensor:
        """Boolean mask of the shape of `score`."""

    def nominal(self) -> float:
        """Fraction aimed at."""


class Projection(Protocol):
    """Draws the matrix P; see :mod:`nenni.projection`."""

    @property
    def shared_taps(self) -> bool:
        """Whether P acts on channels only."""

    def rows(self, d: int) -> int:
        """Rows of P for d inputs."""

    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        """The matrix P, (k, d)."""


class Attack(Protocol):
    """Perturbs images; see :mod:`nenni.attacks`."""

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        labels: Tensor,
        eps: float,
        generator: torch.Generator,
    ) -> Tensor:
        """Adversarial images within eps of the inputs."""
