"""Random dropout that stays on: a share of each layer's neurons is zero in each pass."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from nenni.core.types import Fraction
from nenni.method.baseline import Added, Baseline, WrappedLayer, put_around
from nenni.method.ran import layers_that_run

__all__ = ["RandomDropout"]


@dataclass(frozen=True)
class RandomDropout(Baseline):
    """z' = m z / (1 - p), m = 0 with probability p for each neuron, on all layers but the last.

    Srivastava et al.: Dropout, JMLR 15, 2014, with the mask drawn at test time too: the control of
    noise that selects at random. All neurons are computed: the selection ``random`` with the noise
    ``zero`` is the injection that skips those that it drops.

    Parameters
    ----------
    share : float
        P, of the neurons.
    """

    share: Fraction = 0.5
    randomised: ClassVar[bool] = True

    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Wrap all layers that run, but the last, or those that are chosen."""
        for found in self.chosen(layers_that_run(network, image), slice(-1)):
            put_around(network, found.layer, DroppingLayer(self, found.layer))


class DroppingLayer(WrappedLayer):
    """A layer that drops a share of what it gives."""

    baseline: RandomDropout

    def forward(self, x: Tensor) -> Tensor:
        """M z / (1 - p)."""
        z: Tensor = self.wrapped(x)
        return F.dropout(z, self.baseline.share, training=True) if self.noise else z

    def added(self, x: Tensor, z: Tensor) -> Added:
        """A draw, its comparison with p and a multiplication for each neuron."""
        if not self.noise:
            return Added()
        return Added(draws=z.numel(), comparisons=z.numel(), macs=z.numel())
