"""Fit the approximate path: min over W~, b~ of 1/B ||(W x + b) - z~||^2, with P fixed.

Each layer is fitted to the inputs it has in the exact network. The ridge solution of the rounded
features comes first (the rounding of W~ is not in it), then a few epochs of Adam on the same error
through all roundings, with straight-through gradients.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd
import torch
from torch import Tensor, nn

from nenni import quantise
from nenni.injection import noisy_layers, set_path
from nenni.layers import NoisyLayer
from nenni.selection._ranking import largest

Captured = dict[str, tuple[Tensor, Tensor]]
"""Layer name -> its input x and its exact output z, on one batch."""


def fit(
    noisy: nn.Module,
    images: Tensor,
    *,
    generator: torch.Generator,
    ridge: float = 1e-4,
    epochs: int = 2,
    lr: float = 1e-3,
    batch_size: int = 128,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Fit W~, b~ and the scales of the roundings of every injected layer, in place.

    Parameters
    ----------
    noisy : Module
        From :func:`nenni.inject`.
    images : Tensor
        Training images (N, C, H, W); the first batch also calibrates the scales.
    generator : Generator
        Order of the images in the epochs of Adam.
    ridge : float
        Penalty on W~, in units of the mean square of the features.
    epochs, lr, batch_size
        Of Adam; the rate falls to 0 along a cosine. 0 epochs: the closed form alone.
    progress : callable
        Receives one line per step of the work.
    """
    was_training = noisy.training
    noisy.eval()
    layers = dict(noisy_layers(noisy))
    batches = images.split(batch_size)
    _calibrate(noisy, layers, batches[0])
    _solve_ridge(noisy, layers, batches, ridge)
    progress(f"ridge solution of {len(layers)} layers on {len(images)} images")
    _refine(noisy, layers, images, generator, epochs, lr, batch_size, progress)
    _measure_scores(noisy, layers, batches)
    noisy.train(was_training)


@torch.no_grad()
def report(noisy: nn.Module, images: Tensor, batch_size: int = 128) -> pd.DataFrame:
    """How well each layer's approximation does, on given images.

    Returns
    -------
    DataFrame
        One row per injected layer: ``relative_error`` = rms(z~ - z) / rms(z); ``fraction`` of
        neurons that the mask really selects; ``recall``, the share of the truly largest neurons
        (by the exact z, as many as selected) that are selected; ``neurons`` per sample and
        ``error_bias``, the mean of z~ - z over rms(z).
    """
    was_training = noisy.training
    noisy.eval()
    sums: dict[str, Tensor] = {}
    neurons = {}
    for captured in _captures(noisy, images.split(batch_size)):
        for name, layer in noisy_layers(noisy):
            x, z = captured[name]
            z_tilde = layer.approximate(x)
            mask = layer._channels_second(layer.mask(z_tilde)).flatten(1)
            share = float(mask.float().mean())
            truth = largest(layer.score(z), share).flatten(1)
            values = [(z_tilde - z).square().sum(), z.square().sum(), (z_tilde - z).sum()]
            values += [mask.sum(), (mask & truth).sum(), truth.sum()]
            parts = torch.stack([v.double() for v in values])
            sums[name] = sums.get(name, torch.zeros_like(parts)) + parts
            neurons[name] = mask.shape[1]
    noisy.train(was_training)
    rows = []
    for name, parts in sums.items():
        squared_error, squared, error, selected, hit, wanted = parts.tolist()
        total = neurons[name] * len(images)
        rows.append(
            {
                "layer": name,
                "neurons": neurons[name],
                "relative_error": (squared_error / squared) ** 0.5 if squared else float("nan"),
                "error_bias": error / total / (squared / total) ** 0.5 if squared else float("nan"),
                "fraction": selected / total,
                "recall": hit / wanted if wanted else float("nan"),
            }
        )
    return pd.DataFrame(rows)


@torch.no_grad()
def error_histogram(
    noisy: nn.Module, images: Tensor, batch_size: int = 128, bins: int = 81, reach: float = 2.0
) -> pd.DataFrame:
    """Distribution of z~ - z per layer: the noise that is injected into non-essential neurons.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``bin`` (its centre, in units of rms(z)), ``all`` and ``injected``: the
        shares of all neurons, and of the non-essential ones, whose error falls into the bin. The
        outermost bins hold what lies beyond.
    """
    was_training = noisy.training
    noisy.eval()
    squared = {name: 0.0 for name, _ in noisy_layers(noisy)}
    for captured in _captures(noisy, images.split(batch_size)):
        for name, (_, z) in captured.items():
            squared[name] += float(z.square().sum()) / z[0].numel()
    edges = torch.linspace(-reach, reach, bins + 1)
    counts = {name: torch.zeros(2, bins) for name in squared}
    for captured in _captures(noisy, images.split(batch_size)):
        for name, layer in noisy_layers(noisy):
            x, z = captured[name]
            z_tilde = layer.approximate(x)
            error = (z_tilde - z) / (squared[name] / len(images)) ** 0.5
            error = error.clamp(-reach, reach)
            for row, values in enumerate((error, error[~layer.mask(z_tilde)])):
                counts[name][row] += torch.histogram(values.flatten().cpu(), edges).hist
    noisy.train(was_training)
    centres = ((edges[1:] + edges[:-1]) / 2).tolist()
    frames = []
    for name, count in counts.items():
        share = count / count.sum(1, keepdim=True).clamp_min(1)
        frame = pd.DataFrame({"layer": name, "bin": centres})
        frames.append(frame.assign(all=share[0].tolist(), injected=share[1].tolist()))
    return pd.concat(frames, ignore_index=True)


@contextmanager
def _hooked(noisy: nn.Module) -> Iterator[Captured]:
    captured: Captured = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            captured[name] = (inputs[0].detach(), output.detach())

        return hook

    handles = [layer.register_forward_hook(keep(name)) for name, layer in noisy_layers(noisy)]
    set_path(noisy, "exact")
    try:
        yield captured
    finally:
        set_path(noisy, "injected")
        for handle in handles:
            handle.remove()


def _captures(noisy: nn.Module, batches: tuple[Tensor, ...]) -> Iterator[Captured]:
    """Inputs and exact outputs of every injected layer of the exact network, batch by batch."""
    for batch in batches:
        with _hooked(noisy) as captured, torch.no_grad():
            noisy(batch)
        yield captured


def _calibrate(noisy: nn.Module, layers: dict[str, NoisyLayer], batch: Tensor) -> None:
    for captured in _captures(noisy, (batch,)):
        for name, layer in layers.items():
            x, _ = captured[name]
            layer.input_scale.copy_(quantise.mse_scale(x, layer.spec.input_bits))
            p = layer.projected(x)
            layer.projected_scale.copy_(quantise.mse_scale(p, layer.spec.projected_bits))


@torch.no_grad()
def _solve_ridge(
    noisy: nn.Module, layers: dict[str, NoisyLayer], batches: tuple[Tensor, ...], ridge: float
) -> None:
    """Normal equations of [features, 1] -> z, summed in float64; the bias is not penalised."""
    gram: dict[str, Tensor] = {}
    moment: dict[str, Tensor] = {}
    for captured in _captures(noisy, batches):
        for name, (x, z) in captured.items():
            f = layers[name].features(x).double()
            f = torch.cat([f, f.new_ones(len(f), 1)], 1)
            gram[name] = gram.get(name, 0) + f.T @ f
            moment[name] = moment.get(name, 0) + f.T @ layers[name].rows(z).double()
    for name, layer in layers.items():
        k = len(gram[name]) - 1
        scale = float(gram[name].diagonal()[:k].mean())
        penalty = torch.full((k + 1,), max((ridge + 1e-12) * scale, 1e-30))
        penalty[k] = 0
        solution = torch.linalg.solve(gram[name] + torch.diag(penalty.to(gram[name])), moment[name])
        layer.W_tilde.copy_(solution[:k].T.reshape_as(layer.W_tilde))
        layer.b_tilde.copy_(solution[k])


def _refine(
    noisy: nn.Module,
    layers: dict[str, NoisyLayer],
    images: Tensor,
    generator: torch.Generator,
    epochs: int,
    lr: float,
    batch_size: int,
    progress: Callable[[str], None],
) -> None:
    """Adam on the summed relative squared errors; the layers do not see each other's errors."""
    parameters = [p for layer in layers.values() for p in (layer.W_tilde, layer.b_tilde)]
    steps = epochs * -(-len(images) // batch_size)
    if not steps:
        return
    optimiser = torch.optim.Adam(parameters, lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(epochs):
        total, seen = 0.0, 0
        order = torch.randperm(len(images), generator=generator)
        for indices in order.split(batch_size):
            with _hooked(noisy) as captured, torch.no_grad():
                noisy(images[indices])
            error = torch.stack(
                [
                    (layer.approximate(captured[name][0]) - captured[name][1]).square().mean()
                    / captured[name][1].square().mean().clamp_min(1e-12)
                    for name, layer in layers.items()
                ]
            ).sum()
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
            schedule.step()
            total, seen = total + float(error.detach()) * len(indices), seen + len(indices)
        mean = total / seen / len(layers)
        progress(f"fit epoch {epoch + 1}/{epochs}: mean relative squared error {mean:.4f}")
    for p in parameters:
        p.grad = None


@torch.no_grad()
def _measure_scores(
    noisy: nn.Module, layers: dict[str, NoisyLayer], batches: tuple[Tensor, ...]
) -> None:
    """Mean and deviation of z~ per channel, for the normalised score."""
    sums: dict[str, Tensor] = {}
    for captured in _captures(noisy, batches):
        for name, layer in layers.items():
            rows = layer.rows(layer.approximate(captured[name][0])).double()
            parts = torch.stack([torch.ones_like(rows).sum(0), rows.sum(0), rows.square().sum(0)])
            sums[name] = sums.get(name, torch.zeros_like(parts)) + parts
    for name, layer in layers.items():
        count, first, second = sums[name]
        mean = first / count
        deviation = (second / count - mean.square()).clamp_min(0).sqrt()
        layer.score_mean.copy_(mean)
        layer.score_std.copy_(torch.where(deviation > 0, deviation, torch.ones_like(deviation)))
