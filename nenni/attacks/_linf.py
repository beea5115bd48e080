"""What the L-inf attacks share: the ball, and the gradient for the input alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def ball(inputs: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Lower and upper bound of the L-inf ball of radius eps, within [0, 1]."""
    return (inputs - eps).clamp(0, 1), (inputs + eps).clamp(0, 1)


def uniform_in(low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
    """Random point between two bounds."""
    u = torch.rand(low.shape, generator=generator, device=generator.device).to(low)
    return torch.minimum(torch.maximum(low + u * (high - low), low), high)


def loss_gradient(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Gradient of the summed cross entropy for the images, each sample's independent of others."""
    images = images.detach().requires_grad_()
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    return torch.autograd.grad(loss, images)[0]


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """No gradients for the parameters within, which saves their share of the backward pass."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    for p in trainable:
        p.requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for p in trainable:
            p.requires_grad_(True)
