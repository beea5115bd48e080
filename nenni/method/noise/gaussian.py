"""Control: Gaussian noise in place of the approximation's error."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nenni.method.noise_base import Noise

__all__ = ["GaussianNoise"]


@dataclass(frozen=True)
class GaussianNoise(Noise):
    """z' = m z + (1 - m) (z + s e), e ~ N(0, 1) afresh at each forward pass.

    s is the deviation of z~ - z in the layer, so the noise has the variance of the paper's but
    does not depend on the input. Nothing is saved: z is computed for every neuron.
    """

    randomised: ClassVar[bool] = True

    def value(self, z: Tensor, z_tilde: Tensor, deviation: Tensor) -> Tensor:
        """Z with noise, of the shape of z."""
        return z + torch.randn(z.shape, device=z.device).to(z) * deviation
