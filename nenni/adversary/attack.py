"""What an attack is."""

from typing import Protocol

import torch
from torch import Tensor, nn

Injected = nn.Module
"""A network from :func:`nenni.inject`: an attack or a surrogate whose `model` is annotated with it
is for such networks alone, which the config knows before any job starts."""


class Attack(Protocol):
    """Perturbs images; see :mod:`nenni.adversary.attacks`."""

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        labels: Tensor,
        eps: float,
        generator: torch.Generator,
    ) -> Tensor:
        """Adversarial images within eps of the inputs."""
