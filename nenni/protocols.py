"""What the method asks of its plugins."""

from typing import Protocol

import torch
from torch import Tensor, nn


class Selection(Protocol):
    """Chooses the essential neurons; see :mod:`nenni.selection`."""

    @property
    def randomised(self) -> bool:
        """Whether two calls on the same score differ."""

    @property
    def judges_exact(self) -> bool:
        """Whether the score is made from the exact z, which no cheap defence knows."""

    @property
    def calibrated(self) -> bool:
        """Whether scores come less a threshold of the layer, above which its fraction lies."""

    def mask(self, score: Tensor, generator: torch.Generator) -> Tensor:
        """Boolean mask of the shape of `score`."""

    def margin(self, score: Tensor, mask: Tensor) -> Tensor | None:
        """How far each score is from changing sides, positive in the mask; None if it never is."""

    def nominal(self) -> float:
        """Fraction aimed at."""


class Projection(Protocol):
    """Draws the matrix P; see :mod:`nenni.projection`."""

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


class Noise(Protocol):
    """Gives the non-essential neurons their value; see :mod:`nenni.noise`."""

    @property
    def randomised(self) -> bool:
        """Whether two calls on the same values differ."""

    def approximations(self) -> int:
        """Number of approximations of each layer, one of which each forward pass uses."""

    def value(
        self, z: Tensor, z_tilde: Tensor, deviation: Tensor, generator: torch.Generator
    ) -> Tensor:
        """What the non-essential neurons get, of the shape of `z`."""


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


class Method(Protocol):
    """A way to train; see :mod:`nenni.methods`."""

    def perturb(
        self, model: nn.Module, x: Tensor, y: Tensor, eps: float, attack: Attack | None,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """Images to train on, within eps of x; the network is in eval mode."""

    def loss(
        self, model: nn.Module, x: Tensor, adversarial: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean loss, and the logits whose accuracy is told; the network is in train mode."""
