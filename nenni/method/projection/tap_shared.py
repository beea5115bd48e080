"""A cheaper projection: over the channels only, the same at every tap of the kernel."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.method.projection_base import Drawn, ternary

__all__ = ["TapShared"]


@dataclass(frozen=True)
class TapShared(Drawn):
    """A 1x1 ternary convolution to k_c = ratio C_in channels; W~ is then kh x kw over those.

    As a matrix over all inputs it is block diagonal, one copy of the k_c x C_in matrix per tap, so
    k = k_c kh kw. Each pixel is projected once instead of once per output position:
    min(H_in W_in, M kh kw) k_c C_in / 3 additions. On a linear layer it equals ``sparse``.

    Parameters
    ----------
    ratio : float
        k/d = k_c/C_in, above 0 and up to 1.
    """

    real: ClassVar[bool] = False
    shared_taps: ClassVar[bool] = True

    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        """Draw the channel matrix, (k_c, C_in)."""
        return ternary(k, d, generator)
