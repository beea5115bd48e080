"""The gradient for the input alone, of one pass or averaged over several."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nenni.adversary.ball import gaussian_like
from nenni.core.errors import UserError

Goal = Callable[[Tensor], Tensor]
"""Logits (N, classes) -> what is to rise, (N,)."""


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


def ascent(model: nn.Module, images: Tensor, objective: Goal) -> tuple[Tensor, Tensor]:
    """Gradient of the objective for each image, independent of the others, and the logits.

    A gradient that is not finite is taken as 0, with a warning.

    Raises
    ------
    UserError
        If the model gives no gradient, as one that returns labels only.
    """
    images = images.detach().requires_grad_()
    logits = differentiable(model(images))
    (gradient,) = torch.autograd.grad(objective(logits).sum(), images)
    if not bool(gradient.sum().isfinite()):
        warnings.warn("a gradient was not finite and was taken as 0 there", stacklevel=2)
        gradient = gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    return gradient, logits.detach()


def mean_ascent(
    model: nn.Module,
    images: Tensor,
    objective: Goal,
    samples: int,
    sigma: float,
    generator: torch.Generator,
) -> Tensor:
    """Mean gradient over several passes on the images with Gaussian noise of deviation sigma.

    With sigma 0 it is the expectation over a randomised defence (EOT: Athalye, Engstrom, Ilyas,
    Kwok: Synthesizing robust adversarial examples, ICML 2018, eq. 2); with sigma above 0, that of
    the loss smoothed by a Gaussian, which sees past jumps and plateaus narrower than sigma.
    """
    total = torch.zeros_like(images)
    for _ in range(samples):
        at = images + sigma * gaussian_like(images, generator) if sigma else images
        total += ascent(model, at, objective)[0]
    return total / samples


def differentiable(logits: Tensor) -> Tensor:
    """The logits, if a gradient can be taken of them.

    Raises
    ------
    UserError
        If not.
    """
    if not (logits.is_floating_point() and logits.requires_grad):
        raise UserError(
            "the model's outputs give no gradient (labels in place of logits, or detached): use "
            "attacks without one, square (on scores), hopskipjump or random_noise (on labels)"
        )
    return logits
