"""What an attack is."""

from typing import Protocol

import torch
from torch import Tensor, nn

Injected = nn.Module
"""A network from :func:`nenni.inject`: an attack or a surrogate whose `model` is annotated with it
is for such networks alone, which the config knows before any job starts."""


class Attack(Protocol):
    """Perturbs images; see :mod:`nenni.adversary.attacks`.

    Parameters
    ----------
    model : Module
        A classifier that gives logits (N, classes).
    inputs, labels : Tensor
        Images (N, C, H, W) in [0, 1] and their classes (N,).
    eps : float
        Radius, in units of the input.
    generator : Generator
        Source of all draws.
    norm : "linf" or "l2"
        What eps bounds.
    targeted : bool
        Whether a class is aimed at, the most likely wrong one of the clean image.
    """

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        labels: Tensor,
        eps: float,
        generator: torch.Generator,
    ) -> Tensor:
        """Adversarial images within eps of the inputs."""
