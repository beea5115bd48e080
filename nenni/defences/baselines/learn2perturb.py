"""Learn2Perturb: Gaussian noise before each ReLU, a scale learned for each element."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from nenni.core.types import NonNegative, Positive
from nenni.method.baseline import Added, AlternatingLayer, Baseline, put_around
from nenni.method.ran import modules_that_run

__all__ = ["Learn2Perturb"]


@dataclass(frozen=True)
class Learn2Perturb(Baseline):
    """y' = relu(y + theta eta), eta ~ N(0, 1) afresh in each pass, at each ReLU.

    Jeddi, Shafiee, Karg, Scharfenberger, Wong: Learn2Perturb, CVPR 2020, section 3: after each step
    of the network's weights on the loss, theta takes one on the loss plus gamma g(theta), g = -sum
    sqrt(theta) / tau, which lets the noise grow, tau = 1 + 1/2 + ... + 1/t in epoch t; no theta
    falls below a floor. In the authors' residual networks the noise stands behind the first batch
    norm and each residual sum, and one draw of eta is shared within a batch; here it stands at all
    ReLU modules, and each image has its own.

    Parameters
    ----------
    theta : float
        Before training.
    gamma : float
        Weight of g.
    floor : float
        Least theta.
    """

    theta: Positive = 0.25
    gamma: NonNegative = 1e-4
    floor: Positive = 0.01
    randomised: ClassVar[bool] = True

    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Wrap all ReLU modules that run, or those that are chosen."""
        like = next(network.parameters())
        for found in self.chosen(modules_that_run(network, image, nn.ReLU)):
            found.check_shape()
            theta = like.new_full(found.x, self.theta)
            put_around(network, found.layer, LearnedNoise(self, found.layer, theta))


class LearnedNoise(AlternatingLayer):
    """A ReLU with such noise on what it gets.

    Attributes
    ----------
    activation : ReLU
        The original one.
    theta : Parameter
        Of the shape of one input.
    """

    baseline: Learn2Perturb

    def __init__(self, baseline: Learn2Perturb, activation: nn.ReLU, theta: Tensor) -> None:
        super().__init__(baseline)
        self.activation = activation
        self.theta = nn.Parameter(theta)

    def forward(self, y: Tensor) -> Tensor:
        """Relu(y + theta eta)."""
        if self.noise:
            y = y + self.theta * torch.randn(y.shape, device=y.device).to(y)
        active: Tensor = self.activation(y)
        return active

    def original(self) -> nn.Module:
        """The ReLU."""
        return self.activation

    def learned_noise(self) -> nn.Parameter:
        """Theta."""
        return self.theta

    def penalty(self, epoch: int) -> Tensor:
        """Gamma g(theta), in epoch t from 1."""
        tau = sum(1 / i for i in range(1, epoch + 1))
        return -self.baseline.gamma / tau * self.theta.sqrt().sum()

    @torch.no_grad()
    def settle(self) -> None:
        """Nothing below the floor."""
        self.theta.clamp_(min=self.baseline.floor)

    def added(self, x: Tensor, z: Tensor) -> Added:
        """A draw and a multiply-accumulate for each element; theta is read."""
        if not self.noise:
            return Added()
        return Added(draws=x.numel(), macs=x.numel(), stored=self.theta.numel())
