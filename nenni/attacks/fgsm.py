"""Fast gradient sign method."""

import torch
from torch import Tensor, nn

from nenni.attacks._linf import ball, frozen, loss_gradient

__all__ = ["fgsm"]


def fgsm(
    model: nn.Module, inputs: Tensor, labels: Tensor, eps: float, generator: torch.Generator
) -> Tensor:
    """X' = x + eps sign(dL/dx), L the cross entropy.

    Goodfellow, Shlens, Szegedy: Explaining and harnessing adversarial examples, ICLR 2015, eq. 1.

    Parameters
    ----------
    model : Module
        Classifier of images (N, C, H, W) in [0, 1], giving logits (N, classes).
    inputs, labels : Tensor
        Images and their classes (N,).
    eps : float
        L-inf radius, in units of the [0, 1] input.
    generator : Generator
        Not used: the attack is deterministic.
    """
    low, high = ball(inputs, eps)
    with frozen(model):
        step = eps * loss_gradient(model, inputs, labels).sign()
    return torch.minimum(torch.maximum(inputs + step, low), high)
