"""Random Projection Filters: a share of the first convolution's filters is random."""

from math import prod
from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from nenni.core.types import Ratio
from nenni.method.baseline import Added, Baseline, WrappedLayer, put_around
from nenni.method.ran import modules_that_run

__all__ = ["RandomProjectionFilters"]


@dataclass(frozen=True)
class RandomProjectionFilters(Baseline):
    """F = (R, W): the first filters R are drawn from N(0, 1 / r^2), r the kernel size, untrained.

    Dong, Xu: Adversarial robustness via random projection filters, CVPR 2023, section 3: the first
    convolution, 48 of whose 64 filters are random in their networks. The authors draw R anew before
    they attack and before they score. Here every pass draws, so that a score is the mean over
    draws, an attacker may average over them, and one who tries again meets others. Without its
    noise the network keeps one draw.

    Parameters
    ----------
    share : float
        Of the filters, that are random; rounded to whole ones, at least one.
    """

    share: Ratio = 0.75
    randomised: ClassVar[bool] = True

    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Wrap the first convolution that runs, or those that are chosen."""
        for found in self.chosen(modules_that_run(network, image, nn.Conv2d), slice(1)):
            put_around(network, found.layer, RandomFilters(self, found.layer, draws))


class RandomFilters(WrappedLayer):
    """A convolution whose first filters are random.

    Attributes
    ----------
    kept : Tensor
        R of the network without its noise, (n_r, C_in, kh, kw).
    """

    baseline: RandomProjectionFilters
    kept: Tensor

    def __init__(
        self, baseline: RandomProjectionFilters, wrapped: nn.Conv2d, draws: torch.Generator
    ) -> None:
        super().__init__(baseline, wrapped)
        weight = wrapped.weight
        count = max(1, round(baseline.share * len(weight)))
        self.deviation = prod(wrapped.kernel_size) ** -0.5
        drawn = torch.randn(count, *weight.shape[1:], generator=draws)
        self.register_buffer("kept", self.deviation * drawn.to(weight))

    def forward(self, x: Tensor) -> Tensor:
        """(R x, W x) + b."""
        random = self.kept
        if self.noise:
            random = self.deviation * torch.randn(random.shape, device=random.device).to(random)
        learned = self.own_weight()[len(random) :]
        return self.operate(x, torch.cat([random.to(learned), learned]))

    def added(self, x: Tensor, z: Tensor) -> Added:
        """A draw and a multiplication for each weight of the random filters."""
        if not self.noise:
            return Added()
        return Added(draws=self.kept.numel(), macs=self.kept.numel())
