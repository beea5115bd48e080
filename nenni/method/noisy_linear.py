"""A linear layer with an approximate path."""

import torch
from torch import nn

from nenni.method.geometry import LinearGeometry
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.spec import Choices
from nenni.networks.tracing import BatchNorm


class NoisyLinear(NoisyLayer):
    """A linear layer with an approximate path; the last dimension holds the features."""

    wrapped: nn.Linear

    def __init__(
        self,
        wrapped: nn.Linear,
        choices: Choices,
        generator: torch.Generator,
        batch_norm: BatchNorm | None = None,
    ) -> None:
        super().__init__(wrapped, LinearGeometry(wrapped), choices, generator, batch_norm)
