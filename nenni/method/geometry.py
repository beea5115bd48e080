"""How the matrices of the method meet the inputs of a convolution or a linear layer.

In the equations all of them are matrices: W (n, d), P (k, d), W~ (n, k). A convolution applies them
to patches, as kernels.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.method.projection_base import Projection


class Geometry(ABC):
    """The products of one kind of layer, and where its channels are."""

    @abstractmethod
    def sample(self, projection: Projection, generator: torch.Generator) -> Tensor:
        """Draw P in the shape in which :meth:`project` applies it, its rows first."""

    @abstractmethod
    def neuron_shape(self, k: int) -> tuple[int, ...]:
        """Shape of one neuron's weights in W~, for k rows of P."""

    @abstractmethod
    def operate(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """W x + b with other weights in the place of W."""

    @abstractmethod
    def project(self, x: Tensor, P: Tensor) -> Tensor:
        """P x."""

    @abstractmethod
    def combine(self, p: Tensor, W_tilde: Tensor, b_tilde: Tensor) -> Tensor:
        """W~ p + b~."""

    @abstractmethod
    def compose(self, W_tilde: Tensor, P: Tensor) -> Tensor:
        """W~ P, of the size of W."""

    @abstractmethod
    def features(self, p: Tensor) -> Tensor:
        """Rows (positions, k) that W~ multiplies, from p."""

    @abstractmethod
    def inputs(self, x: Tensor) -> Tensor:
        """Rows of x that P multiplies: (positions, d), or (positions, C_in) for shared taps."""

    def channels_second(self, z: Tensor) -> Tensor:
        """An output as (N, n, ...)."""
        return z

    def channels_restored(self, z: Tensor) -> Tensor:
        """The inverse of :meth:`channels_second`."""
        return z

    def rows(self, z: Tensor) -> Tensor:
        """An output, or an input, as rows (positions, channels)."""
        return self.channels_second(z).movedim(1, -1).flatten(0, -2)


class LinearGeometry(Geometry):
    """Plain matrices; the last dimension holds the channels."""

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer

    def sample(self, projection: Projection, generator: torch.Generator) -> Tensor:
        """P (k, d)."""
        d = self.layer.weight.shape[1]
        return projection.sample(projection.rows(d), d, generator)

    def neuron_shape(self, k: int) -> tuple[int, ...]:
        """(k,)."""
        return (k,)

    def operate(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """W x + b."""
        return F.linear(x, weight, bias)

    def project(self, x: Tensor, P: Tensor) -> Tensor:
        """P x."""
        return F.linear(x, P)

    def combine(self, p: Tensor, W_tilde: Tensor, b_tilde: Tensor) -> Tensor:
        """W~ p + b~."""
        return F.linear(p, W_tilde, b_tilde)

    def compose(self, W_tilde: Tensor, P: Tensor) -> Tensor:
        """W~ P."""
        return W_tilde @ P

    def features(self, p: Tensor) -> Tensor:
        """Vectors p."""
        return p.flatten(0, -2)

    def inputs(self, x: Tensor) -> Tensor:
        """Vectors x."""
        return x.flatten(0, -2)

    def channels_second(self, z: Tensor) -> Tensor:
        """The last dimension second."""
        return z.movedim(-1, 1)

    def channels_restored(self, z: Tensor) -> Tensor:
        """The second dimension last."""
        return z.movedim(1, -1)


class ConvGeometry(Geometry):
    """P has the layer's geometry, with k filters; W~ is 1x1."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self.layer = layer

    def sample(self, projection: Projection, generator: torch.Generator) -> Tensor:
        """P (k, C_in, kh, kw)."""
        weight = self.layer.weight
        d = weight[0].numel()
        return projection.sample(projection.rows(d), d, generator).view(-1, *weight.shape[1:])

    def neuron_shape(self, k: int) -> tuple[int, ...]:
        """(k, 1, 1)."""
        return (k, 1, 1)

    def operate(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """W x + b at every position, with the layer's stride, padding and dilation."""
        return self.layer._conv_forward(x, weight, bias)  # type: ignore[no-any-return]

    def project(self, x: Tensor, P: Tensor) -> Tensor:
        """P x at every position."""
        return self.operate(x, P, None)

    def combine(self, p: Tensor, W_tilde: Tensor, b_tilde: Tensor) -> Tensor:
        """W~ p + b~ at every position."""
        return F.conv2d(p, W_tilde, b_tilde)

    def compose(self, W_tilde: Tensor, P: Tensor) -> Tensor:
        """W~ P as kernels (n, C_in, kh, kw)."""
        return torch.einsum("nk,kchw->nchw", W_tilde[:, :, 0, 0], P)

    def features(self, p: Tensor) -> Tensor:
        """What p holds at each position."""
        return self.rows(p)

    def inputs(self, x: Tensor) -> Tensor:
        """Patches (positions, d)."""
        return self.patches(x)

    def patches(self, x: Tensor) -> Tensor:
        """What a kernel of the layer sees at each position: (positions, channels kh kw)."""
        layer = self.layer
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        x = F.pad(x, layer._reversed_padding_repeated_twice, mode=mode)
        columns = F.unfold(x, layer.kernel_size, layer.dilation, 0, layer.stride)
        return columns.transpose(1, 2).flatten(0, 1)


class SharedTapsGeometry(ConvGeometry):
    """P is 1x1, to k_c channels at every pixel; W~ has the layer's geometry over those."""

    def sample(self, projection: Projection, generator: torch.Generator) -> Tensor:
        """P (k_c, C_in, 1, 1)."""
        channels = self.layer.weight.shape[1]
        matrix = projection.sample(projection.rows(channels), channels, generator)
        return matrix[:, :, None, None]

    def neuron_shape(self, k: int) -> tuple[int, ...]:
        """(k_c, kh, kw)."""
        return (k, *self.layer.kernel_size)

    def project(self, x: Tensor, P: Tensor) -> Tensor:
        """P x at every pixel."""
        return F.conv2d(x, P)

    def combine(self, p: Tensor, W_tilde: Tensor, b_tilde: Tensor) -> Tensor:
        """W~ p + b~ at every position, with the layer's stride, padding and dilation."""
        return self.operate(p, W_tilde, b_tilde)

    def compose(self, W_tilde: Tensor, P: Tensor) -> Tensor:
        """W~ P as kernels (n, C_in, kh, kw)."""
        return torch.einsum("nkhw,kc->nchw", W_tilde, P[:, :, 0, 0])

    def features(self, p: Tensor) -> Tensor:
        """Patches of p."""
        return self.patches(p)

    def inputs(self, x: Tensor) -> Tensor:
        """Pixels (positions, C_in)."""
        return self.rows(x)
