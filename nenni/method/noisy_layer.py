"""The two-path layer: z' = m z + (1 - m) z~ around an unchanged layer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from nenni.core.runtime import may_look
from nenni.method.geometry import Geometry
from nenni.method.mixing import mix, with_gradient_of
from nenni.method.quantise import NOT_ROUNDED, on_codes, on_rounded, quantise, quantise_weight
from nenni.method.score import TEMPERATURE, soft_step, standardised, through_batch_norm
from nenni.method.spec import Choices
from nenni.networks.computed import compute_anew
from nenni.networks.standing_in import StandingIn
from nenni.networks.tracing import BatchNorm

LayerPath = Literal["injected", "exact", "approximate", "soft", "bpda"]


class RoundedWeights(NamedTuple):
    """What a layer computes from its weights alone: Q(W), if rounded, and each Q_w(W~)."""

    exact: Tensor | None
    approximate: list[Tensor]


class NoisyLayer(StandingIn):
    """A layer with an exact and an approximate path, and a mask that chooses between them.

    Made as :class:`nenni.method.noisy_conv2d.NoisyConv2d` or
    :class:`nenni.method.noisy_linear.NoisyLinear`.

    Attributes
    ----------
    wrapped : Module
        The original layer, computing z = W x + b.
    geometry : Geometry
        How matrices meet the layer's inputs, and where its channels are.
    choices : Choices
        Those of the method for this layer.
    pool : int
        Number R of approximations; 1 but for a noise that draws one of several.
    P : Tensor
        The projections, fixed, as kernels (R, k, C_in, kh, kw) or matrices (R, k, d).
    W_tilde, b_tilde : Parameter
        The approximations' weights (R, n, k, ...) and biases (R, n), learned.
    path : "injected", "exact", "approximate", "soft" or "bpda"
        What the forward pass gives: z', z, z~, z' with a soft mask, or z' whose gradient is that
        of z. Set by :func:`nenni.method.injection.set_path`.
    temperature : float
        Width of the soft mask, in standard deviations of a sample's scores.
    batch_norm : tuple
        The batch norm that follows the layer, or nothing.
    kept : RoundedWeights or None
        What is computed from the weights, while they do not change; see :func:`constant_weights`.
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
        geometry: Geometry,
        choices: Choices,
        generator: torch.Generator,
        batch_norm: BatchNorm | None = None,
    ) -> None:
        super().__init__()
        self.wrapped = wrapped
        self.geometry = geometry
        self.choices = choices
        self.path: LayerPath = "injected"
        self.temperature = TEMPERATURE
        self.batch_norm = () if batch_norm is None else (batch_norm,)
        self.kept: RoundedWeights | None = None
        kind: dict[str, Any] = {"device": wrapped.weight.device, "dtype": wrapped.weight.dtype}
        n, pool = wrapped.weight.shape[0], choices.noise.approximations()
        self.pool = pool
        drawn = torch.stack([geometry.sample(choices.projection, generator) for _ in range(pool)])
        self.register_buffer("P", drawn.to(**kind))
        neuron = geometry.neuron_shape(self.P.shape[1])
        self.W_tilde = nn.Parameter(torch.zeros(pool, n, *neuron, **kind))
        self.b_tilde = nn.Parameter(torch.zeros(pool, n, **kind))
        self.register_buffer("input_scale", torch.ones((), **kind))
        self.register_buffer("projected_scale", torch.ones(pool, **kind))
        self.register_buffer("exact_scale", torch.ones((), **kind))
        self.register_buffer("score_mean", torch.zeros(n, **kind))
        self.register_buffer("score_variance", torch.ones(n, **kind))
        self.register_buffer("threshold", torch.zeros((), **kind))
        self.register_buffer("error_deviation", torch.zeros((), **kind))

    def __getstate__(self) -> dict[str, Any]:
        """Of what a copy is made: its weights may change where those here may not."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        return state | {"kept": None}

    def exact(self, x: Tensor) -> Tensor:
        """Compute z = W x + b, by the wrapped module itself."""
        return self.wrapped(x)  # type: ignore[no-any-return]

    def essential(self, x: Tensor) -> Tensor:
        """Compute z at the bits of the exact path: Q(W) Q(x) + b, or z itself at 32."""
        bits = self.choices.exact_bits
        if bits >= NOT_ROUNDED:
            return self.exact(x)
        weight, bias = self.exact_weight(), self.wrapped.bias

        def operate(rounded: Tensor) -> Tensor:
            return self.geometry.operate(rounded, weight, bias)

        return on_rounded(operate, x, self.exact_scale, bits, weight.requires_grad)

    def projected(self, x: Tensor, index: int = 0) -> Tensor:
        """P Q_a(x), before its own rounding."""

        def project(rounded: Tensor) -> Tensor:
            return self.geometry.project(rounded, self.P[index])

        return on_rounded(project, x, self.input_scale, self.choices.input_bits, values=False)

    def projected_rounded(self, x: Tensor, index: int = 0) -> Tensor:
        """Q_p(P Q_a(x))."""
        scale = self.projected_scale[index]
        return quantise(self.projected(x, index), scale, self.choices.projected_bits)

    def approximate(self, x: Tensor, index: int = 0) -> Tensor:
        """z~ = Q_w(W~) Q_p(P Q_a(x)) + b~ (NENNI, section 3), by one of the approximations.

        Where nothing is rounded after the projection and it costs less, P and W~ act as one
        matrix, Q_w(W~) P, of the size of W.
        """
        weight = self.approximate_weight(index)
        bias, learns = self.b_tilde[index], weight.requires_grad
        if self.composes:

            def operate(rounded: Tensor) -> Tensor:
                return self.geometry.operate(rounded, weight, bias)

            return on_rounded(operate, x, self.input_scale, self.choices.input_bits, learns)

        def combine(rounded: Tensor) -> Tensor:
            return self.geometry.combine(rounded, weight, bias)

        p, scale = self.projected(x, index), self.projected_scale[index]
        bits = self.choices.projected_bits
        if learns:
            return on_codes(combine, p, scale, bits)
        return on_rounded(combine, p, scale, bits, values=False)

    def exact_weight(self) -> Tensor:
        """Q(W), of an exact path that is rounded."""
        if self.kept is not None and self.kept.exact is not None:
            return self.kept.exact
        compute_anew(self.wrapped)
        return quantise_weight(self.wrapped.weight, self.choices.exact_bits)

    def approximate_weight(self, index: int) -> Tensor:
        """Q_w(W~) of an approximation, or Q_w(W~) P where they act as one matrix."""
        if self.kept is not None:
            return self.kept.approximate[index]
        weight = quantise_weight(self.W_tilde[index], self.choices.weight_bits)
        return self.geometry.compose(weight, self.P[index]) if self.composes else weight

    @property
    def composes(self) -> bool:
        """Whether Q_w(W~) P is applied as one matrix: M n d against M k d + M n k products."""
        n, k = self.W_tilde.shape[1:3]
        rounded = self.choices.projected_bits < NOT_ROUNDED
        d = self.wrapped.weight[0].numel()
        return not rounded and not self.choices.projection.shared_taps and n * d < k * (n + d)

    def judged(self, x: Tensor) -> Tensor:
        """What the selection judges, from the input of the layer: z~, or z for an oracle."""
        return self.essential(x) if self.choices.selection.judges_exact else self.approximate(x)

    def score(self, z: Tensor) -> Tensor:
        """What the selection ranks, from z~ (or from z, for an oracle); shape (N, C, ...)."""
        score = self.geometry.channels_second(z)
        if self.choices.normalise:
            if self.batch_norm:
                score = through_batch_norm(score, *self.batch_norm)
            else:
                score = standardised(score, self.score_mean, self.score_variance)
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
        mask = self.choices.selection.mask(self.score(z.detach()))
        return self.geometry.channels_restored(mask)

    def soft_mask(self, z: Tensor, temperature: float) -> Tensor:
        """The mask with a sigmoid in place of its step; differentiable.

        Where no score changes the mask it is the mask itself.

        Parameters
        ----------
        z : Tensor
            z~, or the exact z where the selection judges that.
        temperature : float
            Width of the sigmoid, see :func:`nenni.method.score.soft_step`.
        """
        score, selection = self.score(z), self.choices.selection
        mask = selection.mask(score.detach())
        margin = selection.margin(score, mask)
        soft = mask.to(z) if margin is None else soft_step(score, margin, temperature)
        return self.geometry.channels_restored(soft)

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
        z_tilde = self.approximate(x) if self.pool == 1 else self._by_one_of_pool(x)
        if self.path == "approximate":
            return z_tilde
        z = self.essential(x)
        judged = z if self.choices.selection.judges_exact else z_tilde
        other = self.choices.noise.value(z, z_tilde, self.error_deviation)
        if self.path == "soft":
            m = self.soft_mask(judged, self.temperature)
            return m * z + (1 - m) * other
        return mix(z, other, self.mask(judged))

    def _by_one_of_pool(self, x: Tensor) -> Tensor:
        """z~ of each sample by an approximation drawn for it, independent of the others.

        Where values may not steer the work, all samples go through all of them.
        """
        drawn = torch.randint(self.pool, (len(x),), device=x.device)
        if not may_look(x):
            every = torch.stack([self.approximate(x, i) for i in range(self.pool)])
            return every[drawn, torch.arange(len(x), device=x.device)]
        rows = [(drawn == i).nonzero()[:, 0] for i in range(self.pool)]
        parts = [self.approximate(x[some], i) for i, some in enumerate(rows) if len(some)]
        if not parts:
            return self.approximate(x)
        return torch.cat(parts)[torch.cat(rows).argsort()]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or convert; a pool of kernels as one kernel, which has a format channels_last."""

        def as_kernel(x: Tensor) -> Tensor:
            return fn(x.flatten(0, 1)).unflatten(0, x.shape[:2]) if x.dim() == 5 else fn(x)

        return super()._apply(as_kernel, recurse)  # type: ignore[no-any-return, no-untyped-call]


@contextmanager
def constant_weights(network: nn.Module) -> Iterator[None]:
    """Within, weights are rounded, and multiplied with P, once in place of in each pass.

    Nobody may change them within. No gradient goes to them.
    """
    layers = [m for m in network.modules() if isinstance(m, NoisyLayer) and m.kept is None]
    try:
        with torch.no_grad():
            for layer in layers:
                exact = layer.choices.exact_bits < NOT_ROUNDED
                layer.kept = RoundedWeights(
                    layer.exact_weight() if exact else None,
                    [layer.approximate_weight(i) for i in range(layer.pool)],
                )
        yield
    finally:
        for layer in layers:
            layer.kept = None
