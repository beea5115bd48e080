"""Fit the approximate path: min over W~, b~ of 1/B ||(W x + b) - z~||^2, with P fixed.

Each layer is fitted to the inputs it has in the exact network.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from nenni.core.types import Count, Index, NonNegative, Positive
from nenni.data.batches import Data, check_repeatable, device_of, image_batches, reordered
from nenni.method import quantise
from nenni.method.injection import noisy_layers
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.visit import visit_exact

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
    device = device_of(model)

    def batches() -> Iterator[Tensor]:
        return image_batches(data, batch_size, device)

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
        shuffled_batches = image_batches(shuffled, batch_size, device)
        error = descend(model, shuffled_batches, optimiser, schedule)
        progress(f"fit epoch {epoch + 1}/{epochs}: mean relative squared error {error:.4f}")
    measure_scores(model, batches())
    set_thresholds(model, batches())


def learn_projections(noisy: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give each layer whose projection is learned the one for the covariance of its inputs."""
    if not any(layer.choices.projection.learned for _, layer in noisy_layers(noisy)):
        return
    sums: dict[str, Tensor] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        if layer.choices.projection.learned:
            rows = layer.inputs(x).double()
            rows = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
            sums[name] = sums.get(name, 0) + rows.T @ rows

    visit_exact(noisy, batches, visit)
    for name, layer in noisy_layers(noisy):
        if name in sums:
            moments = sums[name] / sums[name][-1, -1]
            mean = moments[-1, :-1]
            covariance = moments[:-1, :-1] - mean[:, None] * mean
            learned = layer.choices.projection.learn(layer.P.shape[1], covariance)  # type: ignore[attr-defined]
            layer.P.copy_(learned.view_as(layer.P[0]).expand_as(layer.P))


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


def solve_ridge(noisy: nn.Module, batches: Iterable[Tensor], ridge: float) -> None:
    """Set W~, b~ to the closed-form solution for the rounded features.

    The normal equations of [features, 1] -> z, summed in float64; the bias is not penalised. The
    rounding of W~ is not in it.
    """
    gram: dict[tuple[str, int], Tensor] = {}
    moment: dict[tuple[str, int], Tensor] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        target = layer.rows(z).double()
        for i in range(layer.pool):
            f = layer.features(layer.projected_rounded(x, i)).double()
            f = torch.cat([f, f.new_ones(len(f), 1)], 1)
            gram[name, i] = gram.get((name, i), 0) + f.T @ f
            moment[name, i] = moment.get((name, i), 0) + f.T @ target

    visit_exact(noisy, batches, visit)
    layers = dict(noisy_layers(noisy))
    with torch.no_grad():
        for (name, i), products in gram.items():
            k = len(products) - 1
            scale = float(products.diagonal()[:k].mean())
            penalty = torch.full((k + 1,), max((ridge + 1e-12) * scale, 1e-30))
            penalty[k] = 0
            regular = products + torch.diag(penalty.to(products))
            solution = torch.linalg.solve(regular, moment[name, i])
            W_tilde = layers[name].W_tilde[i]
            W_tilde.copy_(solution[:k].T.reshape_as(W_tilde))
            layers[name].b_tilde[i] = solution[k]


def adam(
    noisy: nn.Module, lr: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Adam on all W~ and b~, and its cosine schedule to 0."""
    parameters = [p for _, layer in noisy_layers(noisy) for p in (layer.W_tilde, layer.b_tilde)]
    optimiser = torch.optim.Adam(parameters, lr)
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
    sums: dict[str, Tensor] = {}
    errors: dict[str, Tensor] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        for i in range(layer.pool):
            z_tilde = layer.approximate(x, i)
            error = (z_tilde - z).double()
            parts = torch.stack([error.new_tensor(z.numel()), error.sum(), error.square().sum()])
            errors[name] = errors.get(name, 0) + parts
            rows = layer.rows(z_tilde).double()
            parts = torch.stack([torch.ones_like(rows).sum(0), rows.sum(0), rows.square().sum(0)])
            sums[name] = sums.get(name, 0) + parts

    visit_exact(noisy, batches, visit)
    for name, layer in noisy_layers(noisy):
        mean, variance = _moments(sums[name])
        layer.score_mean.copy_(mean)
        layer.score_variance.copy_(torch.where(variance > 0, variance, 1.0))
        layer.error_deviation.copy_(_moments(errors[name])[1].sqrt())


def set_thresholds(noisy: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the thresholds of calibrated selections so that their nominal fraction lies above."""
    scores: dict[str, list[Tensor]] = {
        name: [] for name, layer in noisy_layers(noisy) if layer.choices.selection.calibrated
    }
    if not scores:
        return
    for name, layer in noisy_layers(noisy):
        if name in scores:
            layer.threshold.zero_()

    draws = torch.Generator().manual_seed(0)  # a stride may keep step with the rows of an image

    def visit(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        if name in scores:
            for i in range(layer.pool):
                score = layer.score(layer.approximate(x, i)).flatten()
                if score.numel() > (count := _SAMPLED_SCORES * len(x)):
                    chosen = torch.randint(score.numel(), (count,), generator=draws)
                    score = score[chosen.to(score.device)]
                scores[name].append(score)

    visit_exact(noisy, batches, visit)
    for name, layer in noisy_layers(noisy):
        if name in scores:
            sample = torch.cat(scores[name])
            fraction = layer.choices.selection.nominal()
            below = round((1 - fraction) * len(sample))
            if below in (0, len(sample)):
                layer.threshold.fill_(torch.inf if below else -torch.inf)
            else:
                layer.threshold.copy_(sample.kthvalue(below).values)


def _moments(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance from the count, the sum and the sum of squares."""
    count, first, second = sums
    mean = first / count
    return mean, (second / count - mean.square()).clamp_min(0)
