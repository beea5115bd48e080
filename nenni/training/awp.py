"""Adversarial weight perturbation, on top of any adversarial method."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nenni.training.processes import mean_over_processes

_TINY = 1e-12


@contextmanager
def perturbed_weights(
    model: nn.Module, loss: Callable[[], tuple[Tensor, Tensor]], gamma: float
) -> Iterator[None]:
    """Within, the weights w are w + v with v = gamma |w| g / |g|, g the gradient of the loss.

    Wu, Xia, Wang: Adversarial weight perturbation helps robust generalization, NeurIPS 2020,
    eqs. 8 to 10 with one step. Weights of convolutions and linear layers are perturbed, each tensor
    by itself; biases and batch norms are not, and batch statistics stay as they were.

    Parameters
    ----------
    model : Module
        What is trained.
    loss : callable
        Its mean loss on a batch, with the weights as they are, and the logits.
    gamma : float
        Length of v relative to that of w.
    """
    weights = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    gradients = torch.autograd.grad(loss()[0], weights, allow_unused=True)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(statistics[name])
    moves = [
        perturbation(w, mean_over_processes(g), gamma) if g is not None else torch.zeros_like(w)
        for w, g in zip(weights, gradients, strict=True)
    ]
    _add(weights, moves, 1)
    try:
        yield
    finally:
        _add(weights, moves, -1)


def perturbation(w: Tensor, gradient: Tensor, gamma: float) -> Tensor:
    """V of one weight tensor: along its gradient, with gamma times its own length."""
    v: Tensor = gamma * w.detach().norm() / gradient.norm().clamp_min(_TINY) * gradient
    return v


@torch.no_grad()
def _add(weights: list[nn.Parameter], moves: list[Tensor], sign: int) -> None:
    for w, v in zip(weights, moves, strict=True):
        w.add_(v, alpha=sign)
