"""A linear layer with an approximate path."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.method.noisy_layer import NoisyLayer


class NoisyLinear(NoisyLayer):
    """A linear layer with an approximate path; the last dimension holds the features."""

    wrapped: nn.Linear

    def features(self, p: Tensor) -> Tensor:
        """Rows (positions, k) that W~ multiplies."""
        return p.flatten(0, -2)

    def inputs(self, x: Tensor) -> Tensor:
        """Rows (positions, d)."""
        return x.flatten(0, -2)

    def _draw(self, generator: torch.Generator) -> Tensor:
        d = self.wrapped.weight.shape[1]
        return self.choices.projection.sample(self.choices.projection.rows(d), d, generator)

    def _features_shape(self) -> tuple[int, ...]:
        return (self.P.shape[1],)

    def _project(self, x: Tensor, projection: Tensor) -> Tensor:
        return F.linear(x, projection)

    def _combine(self, p: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.linear(p, weight, bias)

    def _compose(self, weight: Tensor, projection: Tensor) -> Tensor:
        return weight @ projection

    def _operate(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(x, weight, bias)

    def _channels_second(self, z: Tensor) -> Tensor:
        return z.movedim(-1, 1)

    def _channels_restored(self, mask: Tensor) -> Tensor:
        return mask.movedim(1, -1)
