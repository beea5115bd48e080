"""k-WTA: of each layer's activations the k largest stay, in the place of ReLU."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from nenni.core.types import Ratio
from nenni.method.baseline import Added, Baseline, BaselineLayer, put_around
from nenni.method.ran import modules_that_run
from nenni.method.ranking import largest

__all__ = ["KWTA"]


@dataclass(frozen=True)
class KWTA(Baseline):
    """phi(y)_j = y_j where y_j is among the k largest of y, else 0; k = gamma N of each sample.

    Xiao, Zhong, Zheng: Enhancing adversarial defense by k-winners-take-all, ICLR 2020, arXiv
    1905.10510. It takes the place of each ReLU; no sign is asked for. Exactly round(gamma N) stay:
    of equal ones at the border as many as there is room for, where the authors' code keeps all. Its
    gradient says little of its jumps: adaptive attacks broke it (Tramer, Carlini, Brendel, Madry,
    NeurIPS 2020), and so must those of this project.

    Parameters
    ----------
    gamma : float
        Share of the activations that stay.
    """

    gamma: Ratio = 0.1
    jumps: ClassVar[bool] = True

    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Replace all ReLU modules that run, or those that are chosen."""
        for found in self.chosen(modules_that_run(network, image, nn.ReLU)):
            put_around(network, found.layer, Winners(self, found.layer))


class Winners(BaselineLayer):
    """K-winners-take-all of each sample.

    Attributes
    ----------
    activation : ReLU
        The one in whose place it stands.
    """

    baseline: KWTA

    def __init__(self, baseline: KWTA, activation: nn.ReLU) -> None:
        super().__init__(baseline)
        self.activation = activation

    def original(self) -> nn.Module:
        """The ReLU."""
        return self.activation

    def forward(self, y: Tensor) -> Tensor:
        """The k largest, and zeros."""
        return y * largest(y, self.baseline.gamma)

    def added(self, x: Tensor, z: Tensor) -> Added:
        """A ranking of all activations."""
        return Added(ranked=x.numel())
