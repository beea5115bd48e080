"""The two-path layers: z' = m * z + (1 - m) * z~ around an unchanged layer."""

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni import quantise
from nenni.spec import InjectionSpec

Path = Literal["injected", "exact", "approximate"]


class NoisyLayer(nn.Module, ABC):
    """What convolutions and linear layers have in common; see `NoisyConv2d` and `NoisyLinear`.

    Attributes
    ----------
    wrapped : Module
        The original layer, computing z = W x + b.
    P : Tensor
        The projection, fixed, as a kernel (k, C_in, kh, kw) or a matrix (k, d).
    W_tilde, b_tilde : Parameter
        The approximation's weights (n, k, ...) and bias (n,), learned.
    path : "injected", "exact" or "approximate"
        Which output the forward pass gives: z', z or z~.
    generator : torch.Generator
        Source of the draws of a randomised selection, on the CPU wherever the layer is, so
        that draws are the same; not part of the state.
    """

    P: Tensor
    input_scale: Tensor
    projected_scale: Tensor
    score_mean: Tensor
    score_std: Tensor
    wrapped: nn.Conv2d | nn.Linear

    def __init__(
        self,
        wrapped: nn.Conv2d | nn.Linear,
        name: str,
        spec: InjectionSpec,
        projection: Tensor,
        approximation: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.wrapped = wrapped
        self.spec = spec
        self.selection = spec.selection_of(name)
        self.path: Path = "injected"
        self.generator = torch.Generator().manual_seed(0)
        kind: dict[str, Any] = {"device": wrapped.weight.device, "dtype": wrapped.weight.dtype}
        n = wrapped.weight.shape[0]
        self.register_buffer("P", projection.to(**kind))
        self.W_tilde = nn.Parameter(torch.zeros(approximation, **kind))
        self.b_tilde = nn.Parameter(torch.zeros(n, **kind))
        self.register_buffer("input_scale", torch.ones((), **kind))
        self.register_buffer("projected_scale", torch.ones((), **kind))
        self.register_buffer("score_mean", torch.zeros(n, **kind))
        self.register_buffer("score_std", torch.ones(n, **kind))

    def exact(self, x: Tensor) -> Tensor:
        """Compute z = W x + b, by the wrapped module itself."""
        return self.wrapped(x)  # type: ignore[no-any-return]

    def projected(self, x: Tensor) -> Tensor:
        """P Q_a(x), before its own rounding."""
        return self._project(quantise.quantise(x, self.input_scale, self.spec.input_bits))

    def projected_rounded(self, x: Tensor) -> Tensor:
        """Q_p(P Q_a(x))."""
        p = self.projected(x)
        return quantise.quantise(p, self.projected_scale, self.spec.projected_bits)

    def approximate(self, x: Tensor) -> Tensor:
        """z~ = Q_w(W~) Q_p(P Q_a(x)) + b~ (NENNI, section 3)."""
        weight = quantise.quantise_weight(self.W_tilde, self.spec.weight_bits)
        return self._combine(self.projected_rounded(x), weight)

    @torch.no_grad()
    def score(self, z: Tensor) -> Tensor:
        """What the selection ranks, from z~ (or from z, for an oracle); shape (N, C, ...)."""
        z = self._channels_second(z)
        if self.spec.normalise:
            shape = (1, -1, *(1,) * (z.dim() - 2))
            z = (z - self.score_mean.view(shape)) / self.score_std.view(shape)
        return z.abs() if self.spec.score == "magnitude" else z

    @torch.no_grad()
    def mask(self, z_tilde: Tensor) -> Tensor:
        """m, True where a neuron is essential, judged on z~ alone and constant in backward."""
        return self._restore(self.selection.mask(self.score(z_tilde), self.generator))

    def forward(self, x: Tensor) -> Tensor:
        """Z' = m * z + (1 - m) * z~, or one of the two paths alone."""
        if self.path == "exact":
            return self.exact(x)
        z_tilde = self.approximate(x)
        if self.path == "approximate":
            return z_tilde
        return torch.where(self.mask(z_tilde), self.exact(x), z_tilde)

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Rows of Q_p(P Q_a(x)) that W~ multiplies: (positions, k), for the closed-form fit."""

    def rows(self, z: Tensor) -> Tensor:
        """An output z as rows (positions, n)."""
        return self._channels_second(z).movedim(1, -1).flatten(0, -2)

    @abstractmethod
    def _project(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _combine(self, p: Tensor, weight: Tensor) -> Tensor: ...

    def _channels_second(self, z: Tensor) -> Tensor:
        return z

    def _restore(self, mask: Tensor) -> Tensor:
        return mask


class NoisyConv2d(NoisyLayer):
    """A 2-d convolution with an approximate path.

    With ``shared_taps`` the projection is a 1x1 convolution and W~ has the layer's own geometry;
    otherwise the projection has the layer's geometry and W~ is 1x1.
    """

    wrapped: nn.Conv2d

    def __init__(
        self, wrapped: nn.Conv2d, name: str, spec: InjectionSpec, generator: torch.Generator
    ) -> None:
        n, channels, *taps = wrapped.weight.shape
        if spec.projection.shared_taps:
            k = spec.projection.rows(channels)
            matrix = spec.projection.sample(k, channels, generator)[:, :, None, None]
            approximation = (n, k, *taps)
        else:
            d = wrapped.weight[0].numel()
            k = spec.projection.rows(d)
            matrix = spec.projection.sample(k, d, generator).view(k, channels, *taps)
            approximation = (n, k, 1, 1)
        super().__init__(wrapped, name, spec, matrix, approximation)

    def features(self, x: Tensor) -> Tensor:
        """Rows (positions, k) that W~ multiplies."""
        p = self.projected_rounded(x)
        if not self.spec.projection.shared_taps:
            return p.movedim(1, -1).flatten(0, -2)
        w = self.wrapped
        columns = F.unfold(p, w.kernel_size, w.dilation, _as_int_pair(w.padding), w.stride)
        return columns.transpose(1, 2).flatten(0, 1)

    def _project(self, x: Tensor) -> Tensor:
        return self._convolve(x, self.P, None, not self.spec.projection.shared_taps)

    def _combine(self, p: Tensor, weight: Tensor) -> Tensor:
        return self._convolve(p, weight, self.b_tilde, self.spec.projection.shared_taps)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: bool) -> Tensor:
        if not geometry:
            return F.conv2d(x, weight, bias)
        w = self.wrapped
        return F.conv2d(x, weight, bias, w.stride, w.padding, w.dilation)


class NoisyLinear(NoisyLayer):
    """A linear layer with an approximate path; the last dimension holds the features."""

    wrapped: nn.Linear

    def __init__(
        self, wrapped: nn.Linear, name: str, spec: InjectionSpec, generator: torch.Generator
    ) -> None:
        n, d = wrapped.weight.shape
        k = spec.projection.rows(d)
        super().__init__(wrapped, name, spec, spec.projection.sample(k, d, generator), (n, k))

    def features(self, x: Tensor) -> Tensor:
        """Rows (positions, k) that W~ multiplies."""
        return self.projected_rounded(x).flatten(0, -2)

    def _project(self, x: Tensor) -> Tensor:
        return F.linear(x, self.P)

    def _combine(self, p: Tensor, weight: Tensor) -> Tensor:
        return F.linear(p, weight, self.b_tilde)

    def _channels_second(self, z: Tensor) -> Tensor:
        return z.movedim(-1, 1)

    def _restore(self, mask: Tensor) -> Tensor:
        return mask.movedim(1, -1)


def _as_int_pair(padding: str | tuple[int, ...]) -> tuple[int, ...]:
    assert not isinstance(padding, str), "inject() leaves layers with named padding exact"
    return padding
