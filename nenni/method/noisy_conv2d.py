"""A convolution with an approximate path."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.method.noisy_layer import NoisyLayer


class NoisyConv2d(NoisyLayer):
    """A 2-d convolution with an approximate path.

    Where the taps are shared the projection is a 1x1 convolution and W~ has the layer's own
    geometry; otherwise the projection has the layer's geometry and W~ is 1x1.
    """

    wrapped: nn.Conv2d

    def features(self, p: Tensor) -> Tensor:
        """Rows (positions, k) that W~ multiplies."""
        return self._patches(p) if self.choices.projection.shared_taps else self.rows(p)

    def inputs(self, x: Tensor) -> Tensor:
        """Pixels (positions, C_in), or patches (positions, d) where P has the layer's geometry."""
        return self.rows(x) if self.choices.projection.shared_taps else self._patches(x)

    def _patches(self, x: Tensor) -> Tensor:
        w = self.wrapped
        mode = "constant" if w.padding_mode == "zeros" else w.padding_mode
        x = F.pad(x, w._reversed_padding_repeated_twice, mode=mode)
        columns = F.unfold(x, w.kernel_size, w.dilation, 0, w.stride)
        return columns.transpose(1, 2).flatten(0, 1)

    def _draw(self, generator: torch.Generator) -> Tensor:
        _, channels, *taps = self.wrapped.weight.shape
        projection = self.choices.projection
        if projection.shared_taps:
            matrix = projection.sample(projection.rows(channels), channels, generator)
            return matrix[:, :, None, None]
        d = self.wrapped.weight[0].numel()
        return projection.sample(projection.rows(d), d, generator).view(-1, channels, *taps)

    def _features_shape(self) -> tuple[int, ...]:
        shared = self.choices.projection.shared_taps
        return (self.P.shape[1], *(self.wrapped.kernel_size if shared else (1, 1)))

    def _project(self, x: Tensor, projection: Tensor) -> Tensor:
        if self.choices.projection.shared_taps:
            return F.conv2d(x, projection)
        return self._operate(x, projection, None)

    def _combine(self, p: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.choices.projection.shared_taps:
            return self._operate(p, weight, bias)
        return F.conv2d(p, weight, bias)

    def _compose(self, weight: Tensor, projection: Tensor) -> Tensor:
        return torch.einsum("nk,kchw->nchw", weight[:, :, 0, 0], projection)

    def _operate(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.wrapped._conv_forward(x, weight, bias)  # type: ignore[no-any-return]
