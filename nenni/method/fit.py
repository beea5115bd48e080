"""Fit the approximate path: min over W~, b~ of 1/B ||(W x + b) - z~||^2, with P fixed.

Each layer is fitted to the inputs it has in the exact network.
"""

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from nenni.core.fused_adam import fused_adam
from nenni.core.types import Count, Index, NonNegative, Positive
from nenni.data.batches import Data, check_repeatable, image_batches, reordered
from nenni.method import quantise
from nenni.method.injection import noisy_layers
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.visit import visit_exact
from nenni.networks.copying import uncompiled

_SAMPLED_SCORES = 1000
"""Scores of each layer and image from which a threshold is read."""


def fit(
    model: nn.Module,
    data: Data,
    *,
    ridge: NonNegative = 1e-4,
    epochs: Index = 0,
    lr: Positive = 1e-3,
    batch_size: Count = 128,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Fit W~, b~, the scales of the roundings and the thresholds of every injected layer, in place.

    Parameters
    ----------
    model : Module
        From :func:`nenni.inject`.
    data : tensors, loader or data set
        Training images, see :data:`nenni.data.batches.Data`; labels may be there and are not used.
        The first batch also calibrates the scales.
    ridge : float
        Penalty on W~, in units of the mean square of the features.
    epochs : int
        Of Adam, after the closed form.
    lr : float
        Its rate at the start; it falls to 0 along a cosine.
    batch_size : int
        Images per batch; a loader has its own.
    seed : int
        Of the order of the images in the epochs of Adam; a loader has its own.
    progress : callable
        Receives one line per step of the work.

    Raises
    ------
    UserError
        If the data can be gone through only once, or has no batch.
    """
    check_repeatable(data)
    model = uncompiled(model)

    def batches() -> Iterator[Tensor]:
        return image_batches(data, batch_size, model)

    sizes: list[int] = []

    def counted() -> Iterator[Tensor]:
        for batch in batches():
            sizes.append(len(batch))
            yield batch

    learn_projections(model, batches())
    calibrate_scales(model, next(batches()))
    solve_ridge(model, counted(), ridge)
    images = sum(sizes)
    progress(f"ridge solution of {len(dict(noisy_layers(model)))} layers on {images} images")
    draws = torch.Generator().manual_seed(seed)
    optimiser, schedule = adam(model, lr, epochs * len(sizes))
    for epoch in range(epochs):
        shuffled = reordered(data, torch.randperm(images, generator=draws))
        shuffled_batches = image_batches(shuffled, batch_size, model)
        error = descend(model, shuffled_batches, optimiser, schedule)
        progress(f"fit epoch {epoch + 1}/{epochs}: mean relative squared error {error:.4f}")
    measure_scores(model, batches())
    set_thresholds(model, batches())


def learn_projections(noisy: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give each layer whose projection is learned the one for the covariance of its inputs."""
    if not any(layer.choices.projection.learned for _, layer in noisy_layers(noisy)):
        return
    products: dict[str, Tensor] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        if layer.choices.projection.learned:
            rows = _with_one(layer.geometry.inputs(x).double())
            products[name] = products.get(name, 0) + rows.T @ rows

    visit_exact(noisy, batches, visit)
    for name, layer in noisy_layers(noisy):
        if name in products:
            k, projection = layer.P.shape[1], layer.choices.projection
            learned = projection.learn(k, covariance(products[name]))  # type: ignore[attr-defined]
            layer.P.copy_(learned.view_as(layer.P[0]).expand_as(layer.P))


def covariance(products: Tensor) -> Tensor:
    """E[x x'] - E[x] E[x]', (d, d), from the summed products of the rows [x, 1], (d + 1, d + 1)."""
    moments = products / products[-1, -1]
    mean = moments[-1, :-1]
    return moments[:-1, :-1] - mean[:, None] * mean


def calibrate_scales(noisy: nn.Module, batch: Tensor) -> None:
    """Set the steps of Q_a, Q_p and of the exact path's inputs, from one batch of images."""

    def visit(_: str, layer: NoisyLayer, x: Tensor, __: Tensor) -> None:
        choices = layer.choices
        layer.exact_scale.copy_(quantise.mse_scale(x, choices.exact_bits))
        layer.input_scale.copy_(quantise.mse_scale(x, choices.input_bits))
        for i in range(layer.pool):
            projected = layer.projected(x, i)
            layer.projected_scale[i] = quantise.mse_scale(projected, choices.projected_bits)

    visit_exact(noisy, [batch], visit)


@torch.no_grad()
def solve_ridge(noisy: nn.Module, batches: Iterable[Tensor], ridge: float) -> None:
    """Set W~, b~ to the closed-form solution for the rounded features.

    The normal equations of [features, 1] -> z are summed in float64. The rounding of W~ is not in
    them.
    """
    gram: dict[tuple[str, int], Tensor] = {}
    moment: dict[tuple[str, int], Tensor] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        target = layer.geometry.rows(z).double()
        for i in range(layer.pool):
            features = layer.geometry.features(layer.projected_rounded(x, i))
            f = _with_one(features.double())
            gram[name, i] = gram.get((name, i), 0) + f.T @ f
            moment[name, i] = moment.get((name, i), 0) + f.T @ target

    visit_exact(noisy, batches, visit)
    for name, layer in noisy_layers(noisy):
        for i in range(layer.pool):
            if (name, i) in gram:
                weights, bias = ridge_solution(gram[name, i], moment[name, i], ridge)
                layer.W_tilde[i] = weights.view_as(layer.W_tilde[i])
                layer.b_tilde[i] = bias


def ridge_solution(gram: Tensor, moment: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """W~ (n, k) and b~ (n,) with the least |W~ f + b~ - z|^2 + ridge mean(f^2) |W~|^2.

    The bias is not penalised.

    Parameters
    ----------
    gram : Tensor
        Summed products of the rows [f, 1] with themselves, (k + 1, k + 1).
    moment : Tensor
        And with z, (k + 1, n).
    ridge : float
        Penalty, in units of the mean square of the features.
    """
    k = len(gram) - 1
    scale = float(gram.diagonal()[:k].mean())
    penalty = torch.full((k + 1,), max((ridge + 1e-12) * scale, 1e-30))
    penalty[k] = 0
    solution = torch.linalg.solve(gram + torch.diag(penalty.to(gram)), moment)
    return solution[:k].T, solution[k]


def approximation_parameters(noisy: nn.Module) -> list[nn.Parameter]:
    """All W~ and b~."""
    return [p for _, layer in noisy_layers(noisy) for p in (layer.W_tilde, layer.b_tilde)]


def adam(
    noisy: nn.Module, lr: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Adam on all W~ and b~, and its cosine schedule to 0."""
    optimiser = fused_adam(approximation_parameters(noisy), lr)
    return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps))


def descend(
    noisy: nn.Module,
    batches: Iterable[Tensor],
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """Adam on the layers' relative squared errors, through all roundings, one step per batch.

    Straight-through gradients; no layer sees another's error. Returns the mean error.
    """
    errors: list[Tensor] = []

    def visit(_: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        with torch.enable_grad():
            for i in range(layer.pool):
                squared = (layer.approximate(x, i) - z).square().mean()
                error = squared / z.square().mean().clamp_min(1e-12)
                error.backward()
                errors.append(error.detach())

    for batch in batches:
        optimiser.zero_grad()
        visit_exact(noisy, [batch], visit)
        optimiser.step()
        schedule.step()
    optimiser.zero_grad()
    return float(torch.stack(errors).mean())


def measure_scores(noisy: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set each layer's mean and variance of z~ per channel, and the deviation of z~ - z."""
    scores: dict[str, Tensor] = {}
    errors: dict[str, Tensor] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        for i in range(layer.pool):
            z_tilde = layer.approximate(x, i)
            errors[name] = errors.get(name, 0) + _power_sums((z_tilde - z).double())
            rows = layer.geometry.rows(z_tilde).double()
            scores[name] = scores.get(name, 0) + _power_sums(rows, 0)

    visit_exact(noisy, batches, visit)
    for name, layer in noisy_layers(noisy):
        mean, variance = _moments(scores[name])
        layer.score_mean.copy_(mean)
        layer.score_variance.copy_(torch.where(variance > 0, variance, 1.0))
        layer.error_deviation.copy_(_moments(errors[name])[1].sqrt())


def set_thresholds(noisy: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the thresholds of calibrated selections so that their nominal fraction lies above."""
    calibrated = {
        name: layer for name, layer in noisy_layers(noisy) if layer.choices.selection.calibrated
    }
    if not calibrated:
        return
    for layer in calibrated.values():
        layer.threshold.zero_()
    scores: dict[str, list[Tensor]] = {name: [] for name in calibrated}
    draws = torch.Generator().manual_seed(0)

    def visit(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        if name in scores:
            for i in range(layer.pool):
                score = layer.score(layer.approximate(x, i)).flatten()
                scores[name].append(_sampled(score, _SAMPLED_SCORES * len(x), draws))

    visit_exact(noisy, batches, visit)
    for name, layer in calibrated.items():
        fraction = layer.choices.selection.nominal()
        layer.threshold.fill_(upper_quantile(torch.cat(scores[name]), fraction))


def upper_quantile(sample: Tensor, fraction: float) -> float:
    """The number above which a fraction of a sample lies; infinite for none of it, or all."""
    below = round((1 - fraction) * len(sample))
    if below in (0, len(sample)):
        return math.inf if below else -math.inf
    return float(sample.sort().values[below - 1])


def _with_one(rows: Tensor) -> Tensor:
    """Rows [x, 1] from rows x, for the mean or the bias."""
    return torch.cat([rows, rows.new_ones(len(rows), 1)], 1)


def _sampled(values: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """At most so many of the values, drawn: a stride may keep step with the rows of an image."""
    if values.numel() <= count:
        return values
    chosen = torch.randint(values.numel(), (count,), generator=draws)
    return values[chosen.to(values.device)]


def _power_sums(values: Tensor, dim: int | None = None) -> Tensor:
    """Count, sum and sum of squares of all values, or along a dimension."""
    first, second = values.sum(dim), values.square().sum(dim)
    count = values.numel() if dim is None else values.shape[dim]
    return torch.stack([torch.full_like(first, count), first, second])


def _moments(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance from :func:`_power_sums`."""
    count, first, second = sums
    mean = first / count
    return mean, (second / count - mean.square()).clamp_min(0)
