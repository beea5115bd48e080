"""Control: uniform noise in place of the approximation's error."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nenni.method.noise_base import Noise

__all__ = ["UniformNoise"]


@dataclass(frozen=True)
class UniformNoise(Noise):
    """z' = m z + (1 - m) (z + sqrt(3) s u), u ~ U(-1, 1) afresh at each forward pass.

    s is the deviation of z~ - z in the layer, so the noise has the variance of the paper's but
    does not depend on the input. Nothing is saved: z is computed for every neuron.
    """

    randomised: ClassVar[bool] = True

    def value(self, z: Tensor, z_tilde: Tensor, deviation: Tensor) -> Tensor:
        """Z with noise, of the shape of z."""
        noise = torch.rand(z.shape, device=z.device) * 2 - 1
        return z + noise.to(z) * (math.sqrt(3) * deviation)
