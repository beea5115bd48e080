"""Gaussian noise on all activations, as large in each layer as its outputs are."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from nenni.core.types import NonNegative
from nenni.method.baseline import Added, Baseline, WrappedLayer, put_around
from nenni.method.quantise import joined
from nenni.method.ran import layers_that_run

__all__ = ["GaussianActivations"]

_MOMENTUM = 0.1
"""Weight of a batch in the running deviation, as in batch norms."""


@dataclass(frozen=True)
class GaussianActivations(Baseline):
    """z' = z + sigma s eta, eta ~ N(0, 1) afresh in each pass, on what layers give, but the last.

    S is the deviation of the layer's z over training images: calibrated, then a running mean in
    training. Noise of one size on all neurons is what selective noise has to beat.

    Parameters
    ----------
    sigma : float
        Deviation of the noise over that of the layer.
    """

    sigma: NonNegative = 0.25
    randomised: ClassVar[bool] = True

    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Wrap all layers that run, but the last, or those that are chosen."""
        for found in self.chosen(layers_that_run(network, image), slice(-1)):
            put_around(network, found.layer, GaussianOutput(self, found.layer))


class GaussianOutput(WrappedLayer):
    """A layer with such noise on what it gives.

    Attributes
    ----------
    deviation : Tensor
        S, one number.
    """

    baseline: GaussianActivations
    deviation: Tensor

    def __init__(self, baseline: GaussianActivations, wrapped: nn.Conv2d | nn.Linear) -> None:
        super().__init__(baseline, wrapped)
        self.register_buffer("deviation", wrapped.weight.new_zeros(()))

    def calibrate(self, *calls: Tensor) -> None:
        """S, from a batch of inputs at each call."""
        z = joined([self.wrapped(x) for x in calls])
        self.deviation.copy_(z.std(unbiased=False))

    def forward(self, x: Tensor) -> Tensor:
        """Z + sigma s eta."""
        z: Tensor = self.wrapped(x)
        if self.training:
            with torch.no_grad():
                self.deviation.lerp_(z.std(unbiased=False).to(self.deviation), _MOMENTUM)
        if not self.noise:
            return z
        scale = self.baseline.sigma * self.deviation
        return z + scale * torch.randn(z.shape, device=z.device).to(z)

    def added(self, x: Tensor, z: Tensor) -> Added:
        """A draw and a multiply-accumulate for each output; the scale is read."""
        if not self.noise:
            return Added()
        return Added(draws=z.numel(), macs=z.numel(), stored=1)
