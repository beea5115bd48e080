"""Control: the non-essential neurons are dropped."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nenni.method.noise_base import Noise

__all__ = ["Zero"]


@dataclass(frozen=True)
class Zero(Noise):
    """z' = m z: the noise is -z, of the layer's own variance.

    A sparse activation (k winners take all) without any approximation of the others. Costs what
    the paper's noise does: z~ still selects.
    """

    uses = "nothing"

    def value(self, z: Tensor, z_tilde: Tensor, deviation: Tensor) -> Tensor:
        """Zeros of the shape of z~."""
        return torch.zeros_like(z_tilde)
