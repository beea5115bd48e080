"""Plain quantisation: weights and inputs of all layers rounded to few bits."""

from typing import ClassVar, Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from nenni.method.baseline import Added, Baseline, WrappedLayer, put_around
from nenni.method.quantise import joined, least_step, mse_scale, on_rounded, quantise_weight
from nenni.method.ran import layers_that_run

__all__ = ["Quantised"]

_MOMENTUM = 0.1
"""Weight of a batch in the running mean, as in batch norms."""


@dataclass(frozen=True)
class Quantised(Baseline):
    """z = Q(W) Q(x) + b: symmetric codes, straight-through gradients, biases as they are.

    Weights have a step for each output channel, the largest weight over the largest code. Inputs
    have one step for each layer, that of least squared error on the calibrating images; in training
    it grows and shrinks with a running mean of the largest input (Jacob et al.: Quantization and
    training of neural networks, CVPR 2018, section 3.1). See :mod:`nenni.method.quantise`. What
    rounds inputs is left out of the count of operations, as for an exact path at so few bits.

    Parameters
    ----------
    bits : int
        Of weights and inputs.
    """

    bits: Literal[2, 3, 4, 5, 6, 7, 8] = 8
    jumps: ClassVar[bool] = True

    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Wrap all layers that run, or those that are chosen."""
        for found in self.chosen(layers_that_run(network, image)):
            put_around(network, found.layer, QuantisedLayer(self, found.layer))


class QuantisedLayer(WrappedLayer):
    """A layer of rounded weights and inputs.

    Attributes
    ----------
    input_scale, largest : Tensor
        Step of the inputs, and the running mean of their largest magnitude.
    """

    baseline: Quantised
    input_scale: Tensor
    largest: Tensor

    def __init__(self, baseline: Quantised, wrapped: nn.Conv2d | nn.Linear) -> None:
        super().__init__(baseline, wrapped)
        self.exact_bits = baseline.bits
        self.register_buffer("input_scale", wrapped.weight.new_ones(()))
        self.register_buffer("largest", wrapped.weight.new_ones(()))

    def calibrate(self, *calls: Tensor) -> None:
        """The step, from a batch of inputs at each call."""
        x = joined(calls)
        self.input_scale.copy_(mse_scale(x, self.exact_bits))
        self.largest.copy_(x.abs().amax())

    def used_weight(self) -> Tensor:
        """Q(W)."""
        return quantise_weight(self.own_weight(), self.exact_bits)

    def forward(self, x: Tensor) -> Tensor:
        """Q(W) Q(x) + b."""
        if self.training:
            self._follow(x)
        weight = self.used_weight()

        def operate(rounded: Tensor) -> Tensor:
            return self.operate(rounded, weight)

        return on_rounded(operate, x, self.input_scale, self.exact_bits, weight.requires_grad)

    @torch.no_grad()
    def _follow(self, x: Tensor) -> None:
        """Take the step along with the largest input."""
        tiny, least = torch.finfo(self.largest.dtype).tiny, least_step(self.largest.dtype)
        followed = self.largest.lerp(x.abs().amax().to(self.largest), _MOMENTUM)
        self.input_scale.mul_(followed / self.largest.clamp_min(tiny)).clamp_min_(least)
        self.largest.copy_(followed)

    def added(self, x: Tensor, z: Tensor) -> Added:
        """Nothing beside its products of few bits."""
        return Added()
