"""The gradient for the input alone, of one pass or averaged over several."""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nenni.adversary.judge import Watched, mean
from nenni.core.errors import UserError
from nenni.core.keyed import Keyed
from nenni.method.noisy_layer import constant_weights
from nenni.networks.asking import answer

_NO_GRADIENT = (
    "the model's outputs give no gradient (labels in place of logits, detached, or of quantised "
    "layers): use attacks without one, square (on scores), rays, hopskipjump or random_noise (on "
    "labels)"
)
Goal = Callable[[Tensor], Tensor]
"""Logits (N, classes) -> what is to rise, (N,)."""


class Ascent(NamedTuple):
    """What one look at some images tells.

    The gradient (N, C, H, W), what is to rise, (N,), and the logits (N, classes).
    """

    gradient: Tensor
    value: Tensor
    logits: Tensor


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Within, parameters are constant: no gradients for them, and what is made of them is kept."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    for p in trainable:
        p.requires_grad_(False)
    try:
        fixed = any(m._compiled_call_impl is not None for m in model.modules())  # to where W~ is
        with torch.enable_grad(), nullcontext() if fixed else constant_weights(model):
            yield
    finally:
        for p in trainable:
            p.requires_grad_(True)


def ascent(model: nn.Module, images: Tensor, objective: Goal) -> Ascent:
    """Gradient of the objective for each image, independent of the others.

    A gradient that is not finite is taken as 0, with a warning.

    Raises
    ------
    UserError
        If the model gives no gradient, as one that returns labels only.
    """
    images = images.detach().requires_grad_()
    logits = differentiable(answer(model, images))
    value = objective(logits)
    gradient = _gradient(value.sum(), images)
    if not math.isfinite(gradient.sum().item()):
        warnings.warn("a gradient was not finite and was taken as 0 there", stacklevel=2)
        gradient = gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    return Ascent(gradient, value.detach(), logits.detach())


def _gradient(value: Tensor, images: Tensor) -> Tensor:
    try:
        (gradient,) = torch.autograd.grad(value, images)
    except RuntimeError as error:
        raise UserError(_NO_GRADIENT) from error
    return gradient


def mean_ascent(
    model: Watched, images: Tensor, objective: Goal, samples: int, sigma: float, draws: Keyed
) -> Ascent:
    """Mean gradient over several passes on the images with Gaussian noise.

    With sigma 0 it is the expectation over a randomised defence (EOT: Athalye, Engstrom, Ilyas,
    Kwok: Synthesizing robust adversarial examples, ICML 2018, eq. 2); with sigma above 0, that of
    the loss smoothed by a Gaussian, which sees past jumps and plateaus narrower than sigma. The
    value is a mean likewise, the logits are those of the images themselves.

    Parameters
    ----------
    model : Watched
        What is asked; its judge sees the images, not the noise.
    images : Tensor
        (N, C, H, W) in [0, 1].
    objective : callable
        What is to rise.
    samples, sigma : int, float
        Passes, and the deviation of the noise.
    draws : Keyed
        Streams for the noise.
    """
    if samples == 1 and not sigma:
        return ascent(model, images, objective)
    with model.one_point(images, shown=not sigma):
        noise = (draws.at(i).normal(*images.shape[1:]) for i in range(samples if sigma else 0))
        points = (images + sigma * u for u in noise) if sigma else repeat(images, samples)
        gradients, values, logits = zip(*(ascent(model, x, objective) for x in points), strict=True)
    return Ascent(
        mean(gradients), mean(values),
        mean_logits(model, images, samples) if sigma else mean(logits),
    )  # fmt: skip


@torch.no_grad()
def mean_logits(model: Watched, images: Tensor, samples: int) -> Tensor:
    """Mean logits over the passes of a randomised network; one pass of another, or its labels."""
    with model.one_point(images):
        passes = [model(images) for _ in range(samples if model.randomised else 1)]
    return mean(passes) if passes[0].is_floating_point() else passes[0]


def differentiable(logits: Tensor) -> Tensor:
    """The logits, if a gradient can be taken of them.

    Raises
    ------
    UserError
        If not.
    """
    if not (logits.is_floating_point() and logits.requires_grad):
        raise UserError(_NO_GRADIENT)
    return logits
