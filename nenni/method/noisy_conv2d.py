"""A convolution with an approximate path."""

import torch
from torch import nn

from nenni.method.geometry import ConvGeometry, SharedTapsGeometry
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.spec import Choices
from nenni.networks.tracing import BatchNorm


class NoisyConv2d(NoisyLayer):
    """A 2-d convolution with an approximate path.

    Where the taps are shared the projection is a 1x1 convolution and W~ has the layer's own
    geometry; otherwise the projection has the layer's geometry and W~ is 1x1.
    """

    wrapped: nn.Conv2d

    def __init__(
        self,
        wrapped: nn.Conv2d,
        choices: Choices,
        generator: torch.Generator,
        batch_norm: BatchNorm | None = None,
    ) -> None:
        kind = SharedTapsGeometry if choices.projection.shared_taps else ConvGeometry
        super().__init__(wrapped, kind(wrapped), choices, generator, batch_norm)
