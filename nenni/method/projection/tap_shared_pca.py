"""The learned projection: principal components of the channels."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.method.projection_base import Drawn, LearnedProjection

__all__ = ["TapSharedPCA"]


@dataclass(frozen=True)
class TapSharedPCA(Drawn, LearnedProjection):
    """A 1x1 convolution to the k_c = ratio C_in leading principal components of the channels.

    Of all projections to k_c channels it keeps most of the inputs' variance (Pearson 1901). The
    fit finds it from the covariance of the layer's inputs over images and pixels; the mean goes
    into b~. Costs min(H_in W_in, M kh kw) k_c C_in multiply-accumulates with real weights.

    Parameters
    ----------
    ratio : float
        k/d = k_c/C_in, above 0 and up to 1.
    """

    shared_taps: ClassVar[bool] = True

    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        """Random orthonormal rows (k_c, C_in), until the fit has seen the inputs."""
        normal = torch.randn(d, k, generator=generator, device=generator.device)
        rows: Tensor = torch.linalg.qr(normal).Q.T.contiguous()
        return rows

    def learn(self, k: int, covariance: Tensor) -> Tensor:
        """Leading eigenvectors (k_c, C_in), the largest entry of each positive."""
        components = torch.linalg.eigh(covariance).eigenvectors.flip(1)[:, :k].T
        largest = components.abs().argmax(1, keepdim=True)
        rows: Tensor = components * components.gather(1, largest).sign()
        return rows
