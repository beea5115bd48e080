"""What the two-path layers share: z' = m z + (1 - m) z~ around an unchanged layer."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.method import quantise
from nenni.method.mixing import mix, with_gradient_of
from nenni.method.spec import Choices
from nenni.networks.tracing import BatchNorm

Path = Literal["injected", "exact", "approximate", "soft", "bpda"]


class NoisyLayer(nn.Module, ABC):
    """What convolutions and linear layers have in common.

    See :mod:`nenni.method.noisy_conv2d` and :mod:`nenni.method.noisy_linear`.

    Attributes
    ----------
    wrapped : Module
        The original layer, computing z = W x + b.
    choices : Choices
        Those of the method for this layer.
    P : Tensor
        The projections, fixed, as kernels (R, k, C_in, kh, kw) or matrices (R, k, d); R is 1 but
        for a noise that draws one of several.
    W_tilde, b_tilde : Parameter
        The approximations' weights (R, n, k, ...) and biases (R, n), learned.
    path : "injected", "exact", "approximate", "soft" or "bpda"
        What the forward pass gives: z', z, z~, z' with a soft mask, or z' whose gradient is that
        of z.
    temperature : float
        Width of the soft mask, in standard deviations of a sample's scores.
    batch_norm : tuple
        The batch norm that follows the layer, or nothing.
    """

    P: Tensor
    input_scale: Tensor
    projected_scale: Tensor
    exact_scale: Tensor
    score_mean: Tensor
    score_variance: Tensor
    threshold: Tensor
    error_deviation: Tensor
    wrapped: nn.Conv2d | nn.Linear

    def __init__(
        self,
        wrapped: nn.Conv2d | nn.Linear,
        choices: Choices,
        generator: torch.Generator,
        batch_norm: BatchNorm | None = None,
    ) -> None:
        super().__init__()
        self.wrapped = wrapped
        self.choices = choices
        self.path: Path = "injected"
        self.temperature = 0.1
        self.batch_norm = () if batch_norm is None else (batch_norm,)
        self._generator = torch.Generator().manual_seed(0)
        kind: dict[str, Any] = {"device": wrapped.weight.device, "dtype": wrapped.weight.dtype}
        n, pool = wrapped.weight.shape[0], choices.noise.approximations()
        projections = torch.stack([self._draw(generator) for _ in range(pool)])
        self.register_buffer("P", projections.to(**kind))
        self.W_tilde = nn.Parameter(torch.zeros(pool, n, *self._features_shape(), **kind))
        self.b_tilde = nn.Parameter(torch.zeros(pool, n, **kind))
        self.register_buffer("input_scale", torch.ones((), **kind))
        self.register_buffer("projected_scale", torch.ones(pool, **kind))
        self.register_buffer("exact_scale", torch.ones((), **kind))
        self.register_buffer("score_mean", torch.zeros(n, **kind))
        self.register_buffer("score_variance", torch.ones(n, **kind))
        self.register_buffer("threshold", torch.zeros((), **kind))
        self.register_buffer("error_deviation", torch.zeros((), **kind))

    @property
    def pool(self) -> int:
        """Number of approximations."""
        return self.P.shape[0]

    @property
    def randomised(self) -> bool:
        """Whether two forward passes on the same input may differ."""
        return self.choices.selection.randomised or self.choices.noise.randomised

    def seed(self, seed: int) -> None:
        """Restart the draws of a randomised selection or noise."""
        self._generator.manual_seed(seed)

    def generator(self) -> torch.Generator:
        """Source of the draws, on the layer's device; not part of the state."""
        device = self.P.device
        if self._generator.device != device:
            seed = self._generator.initial_seed()
            self._generator = torch.Generator(device).manual_seed(seed)
        return self._generator

    def exact(self, x: Tensor) -> Tensor:
        """Compute z = W x + b, by the wrapped module itself."""
        return self.wrapped(x)  # type: ignore[no-any-return]

    def essential(self, x: Tensor) -> Tensor:
        """Compute z at the bits of the exact path: Q(W) Q(x) + b, or z itself at 32."""
        bits, bias = self.choices.exact_bits, self.wrapped.bias
        if bits >= quantise.NOT_ROUNDED:
            return self.exact(x)
        weight = quantise.quantise_weight(self.wrapped.weight, bits)

        def operate(rounded: Tensor) -> Tensor:
            return self._operate(rounded, weight, bias)

        return quantise.on_rounded(operate, x, self.exact_scale, bits, weight.requires_grad)

    def projected(self, x: Tensor, index: int = 0) -> Tensor:
        """P Q_a(x), before its own rounding."""

        def project(rounded: Tensor) -> Tensor:
            return self._project(rounded, self.P[index])

        bits = self.choices.input_bits
        return quantise.on_rounded(project, x, self.input_scale, bits, values=False)

    def projected_rounded(self, x: Tensor, index: int = 0) -> Tensor:
        """Q_p(P Q_a(x))."""
        scale = self.projected_scale[index]
        return quantise.quantise(self.projected(x, index), scale, self.choices.projected_bits)

    def approximate(self, x: Tensor, index: int = 0) -> Tensor:
        """z~ = Q_w(W~) Q_p(P Q_a(x)) + b~ (NENNI, section 3), by one of the approximations.

        Where nothing is rounded after the projection and it costs less, P and W~ act as one
        matrix, Q_w(W~) P, of the size of W.
        """
        weight = quantise.quantise_weight(self.W_tilde[index], self.choices.weight_bits)
        bias = self.b_tilde[index]
        composed = self._compose(weight, self.P[index]) if self.composes else None

        def combine(rounded: Tensor) -> Tensor:
            if composed is not None:
                return self._operate(rounded, composed, bias)
            return self._combine(rounded, weight, bias)

        if composed is not None:
            bits, scale = self.choices.input_bits, self.input_scale
        else:
            bits, scale = self.choices.projected_bits, self.projected_scale[index]
            x = self.projected(x, index)
        return quantise.on_rounded(combine, x, scale, bits, weight.requires_grad)

    @property
    def composes(self) -> bool:
        """Whether Q_w(W~) P is applied as one matrix: M n d against M k d + M n k products."""
        n, k = self.W_tilde.shape[1:3]
        rounded = self.choices.projected_bits < quantise.NOT_ROUNDED
        d = self.wrapped.weight[0].numel()
        return not rounded and not self.choices.projection.shared_taps and n * d < k * (n + d)

    def score(self, z: Tensor) -> Tensor:
        """What the selection ranks, from z~ (or from z, for an oracle); shape (N, C, ...)."""
        score = self._normalised(self._channels_second(z))
        if self.choices.score == "magnitude":
            score = score.abs()
        return score - self.threshold if self.choices.selection.calibrated else score

    @torch.no_grad()
    def mask(self, z: Tensor) -> Tensor:
        """m, True where a neuron is essential, constant in the backward pass.

        Parameters
        ----------
        z : Tensor
            z~, or the exact z where the selection judges that.
        """
        mask = self.choices.selection.mask(self.score(z.detach()), self.generator())
        return self._channels_restored(mask)

    def soft_mask(self, z: Tensor) -> Tensor:
        """Sigmoid of the score's distance from the border of m, in place of the step.

        Differentiable. Where no score changes the mask it is the mask itself.
        """
        score = self.score(z)
        selection = self.choices.selection
        mask = selection.mask(score.detach(), self.generator())
        margin = selection.margin(score, mask)
        if margin is None:
            return self._channels_restored(mask.to(z))
        rows = score.detach().flatten(1)
        deviation = (rows - rows.mean(1, keepdim=True)).square().mean(1).sqrt().nan_to_num(nan=0.0)
        width = self.temperature * deviation.clamp_min(torch.finfo(z.dtype).tiny)
        return self._channels_restored(
            torch.sigmoid(margin / width.view(-1, *(1,) * (score.dim() - 1)))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Z' = m z + (1 - m) z~, or what `path` says."""
        if self.path == "exact":
            return self.exact(x)
        if self.path == "bpda":
            with torch.no_grad():
                value = self._two_paths(x)
            return with_gradient_of(self.exact(x), value)
        return self._two_paths(x)

    def _two_paths(self, x: Tensor) -> Tensor:
        index = self._drawn_index()
        z_tilde = self.approximate(x, index)
        if self.path == "approximate":
            return z_tilde
        z = self.essential(x)
        judged = z if self.choices.selection.judges_exact else z_tilde
        noise = self.choices.noise
        other = noise.value(z, z_tilde, self.error_deviation, self.generator())
        if self.path == "soft":
            m = self.soft_mask(judged)
            return m * z + (1 - m) * other
        return mix(z, other, self.mask(judged))

    def judged(self, x: Tensor) -> Tensor:
        """What the selection judges, from the input of the layer: z~, or z for an oracle."""
        return self.essential(x) if self.choices.selection.judges_exact else self.approximate(x)

    def rows(self, z: Tensor) -> Tensor:
        """An output z as rows (positions, n)."""
        return self._channels_second(z).movedim(1, -1).flatten(0, -2)

    @abstractmethod
    def features(self, p: Tensor) -> Tensor:
        """Rows (positions, k) that W~ multiplies, from Q_p(P Q_a(x)), for the closed-form fit."""

    @abstractmethod
    def inputs(self, x: Tensor) -> Tensor:
        """An input x as rows of what P multiplies, for a projection that is learned."""

    @abstractmethod
    def _draw(self, generator: torch.Generator) -> Tensor:
        """A projection in the shape the layer needs."""

    @abstractmethod
    def _features_shape(self) -> tuple[int, ...]:
        """Shape of one neuron's weights in W~."""

    @abstractmethod
    def _project(self, x: Tensor, projection: Tensor) -> Tensor: ...

    @abstractmethod
    def _combine(self, p: Tensor, weight: Tensor, bias: Tensor) -> Tensor: ...

    @abstractmethod
    def _compose(self, weight: Tensor, projection: Tensor) -> Tensor: ...

    @abstractmethod
    def _operate(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The wrapped layer's operation with other weights."""

    def _normalised(self, z: Tensor) -> Tensor:
        """Z (N, C, ...) through the batch norm that follows, or by the calibrated statistics."""
        if not self.choices.normalise:
            return z
        if self.batch_norm:
            (bn,) = self.batch_norm
            assert bn.running_mean is not None
            assert bn.running_var is not None
            statistics = bn.running_mean, bn.running_var
            weight = None if bn.weight is None else bn.weight.detach()
            bias = None if bn.bias is None else bn.bias.detach()
            return F.batch_norm(z, *statistics, weight, bias, False, 0.0, bn.eps)
        return F.batch_norm(z, self.score_mean, self.score_variance, None, None, False, 0.0, 0.0)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or convert; a pool of kernels as one kernel, which has a format channels_last."""

        def as_kernel(x: Tensor) -> Tensor:
            return fn(x.flatten(0, 1)).unflatten(0, x.shape[:2]) if x.dim() == 5 else fn(x)

        return super()._apply(as_kernel, recurse)  # type: ignore[no-any-return, no-untyped-call]

    def _drawn_index(self) -> int:
        if self.pool == 1:
            return 0
        draws = self.generator()
        return int(torch.randint(self.pool, (), generator=draws, device=draws.device))

    def _channels_second(self, z: Tensor) -> Tensor:
        return z

    def _channels_restored(self, mask: Tensor) -> Tensor:
        return mask
