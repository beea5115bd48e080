"""Adam on W~ and b~, through the roundings, towards each layer's z."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nenni.core.fused_adam import fused_adam
from nenni.method.injection import noisy_layers
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.visit import Batch


def approximation_parameters(noisy: nn.Module) -> list[nn.Parameter]:
    """All W~ and b~."""
    return [p for _, layer in noisy_layers(noisy) for p in (layer.W_tilde, layer.b_tilde)]


def adam(
    layers: Iterable[NoisyLayer], lr: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Adam on W~ and b~ of some layers, and its cosine schedule to 0."""
    optimiser = fused_adam([p for a in layers for p in (a.W_tilde, a.b_tilde)], lr)
    return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps))


def descend(
    batches: Iterable[Batch],
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
        batch(visit)
        optimiser.step()
        schedule.step()
    optimiser.zero_grad()
    return float(torch.stack(errors).mean())
