"""PNI: Gaussian noise on weights, inputs or activations, its scale learned by gradient."""

from math import prod
from typing import ClassVar, Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from nenni.core.types import NonNegative
from nenni.method.baseline import Added, Baseline, WrappedLayer, put_around
from nenni.method.ran import layers_that_run

__all__ = ["PNI"]


@dataclass(frozen=True)
class PNI(Baseline):
    """v~ = v + alpha sigma(v) eta, eta ~ N(0, 1) afresh in each pass, in all layers.

    He, Rakin, Fan: Parametric noise injection, CVPR 2019, arXiv 1811.09310. Alpha is learned with
    the weights, dL/dalpha = sum dL/dv~ sigma(v) eta over the elements that share it; sigma is
    constant in the backward pass, as in the authors' code. That of inputs and activations is each
    sample's own, where their code takes it over the batch: an answer would depend on its company.
    Activations are what layers give, all but the last.

    Parameters
    ----------
    granularity : "layer", "channel" or "element"
        What has an alpha of its own; channels of weights are output channels.
    where : "weights", "inputs" or "activations"
        What gets the noise.
    alpha : float
        Before training.
    """

    granularity: Literal["layer", "channel", "element"] = "layer"
    where: Literal["weights", "inputs", "activations"] = "weights"
    alpha: NonNegative = 0.25
    randomised: ClassVar[bool] = True

    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Wrap all layers that run, or those that are chosen."""
        usual = slice(-1) if self.where == "activations" else slice(None)
        for found in self.chosen(layers_that_run(network, image), usual):
            if self.granularity == "element":
                found.check_shape()
            of = {"weights": found.layer.weight.shape, "inputs": found.x, "activations": found.z}
            put_around(network, found.layer, NoisyByPNI(self, found.layer, of[self.where]))


class NoisyByPNI(WrappedLayer):
    """A layer with such noise.

    Attributes
    ----------
    alpha : Parameter
        The scales: of one number, of channels (C, 1, ...), or of all elements.
    """

    baseline: PNI

    def __init__(self, baseline: PNI, wrapped: nn.Conv2d | nn.Linear, shape: torch.Size) -> None:
        super().__init__(baseline, wrapped)
        start = wrapped.weight.new_full(self._shape(shape), baseline.alpha)
        self.alpha = nn.Parameter(start)

    def _shape(self, shape: torch.Size) -> tuple[int, ...]:
        match self.baseline.granularity:
            case "layer":
                return ()
            case "element":
                return tuple(shape)
            case "channel":
                last = self.baseline.where != "weights" and isinstance(self.wrapped, nn.Linear)
                return (shape[-1],) if last else (shape[0], *(1,) * (len(shape) - 1))

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output, of noisy weights or inputs, or with noise."""
        if not self.noise:
            return self.wrapped(x)  # type: ignore[no-any-return]
        match self.baseline.where:
            case "weights":
                weight = self.own_weight()
                return self.operate(x, weight + self.alpha * _noise(weight, weight.std(False)))
            case "inputs":
                return self.wrapped(x + self.alpha * _noise(x, _of_each(x)))  # type: ignore[no-any-return]
            case "activations":
                z: Tensor = self.wrapped(x)
                return z + self.alpha * _noise(z, _of_each(z))

    def added(self, x: Tensor, z: Tensor) -> Added:
        """A draw and a multiply-accumulate for each element that gets noise.

        The deviation of weights is a constant. That of values that each input changes takes an
        addition for their mean, and a multiply-accumulate for their squares. Alpha is read.
        """
        if not self.noise:
            return Added()
        stored = self.alpha.numel()
        if self.baseline.where == "weights":
            count = self.wrapped.weight.numel()
            return Added(draws=count, macs=count, stored=stored)
        count = prod((x if self.baseline.where == "inputs" else z).shape)
        return Added(draws=count, macs=2 * count, additions=count, stored=stored)


def _noise(v: Tensor, sigma: Tensor) -> Tensor:
    """Sigma eta, of the shape of v; constant in the backward pass."""
    return (torch.randn(v.shape, device=v.device).to(v) * sigma).detach()


def _of_each(v: Tensor) -> Tensor:
    """Deviation over the elements of each sample, (N, 1, ...)."""
    return v.flatten(1).std(1, unbiased=False).view(-1, *(1,) * (v.dim() - 1))
