"""Adversarial training."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nenni.adversary.attack import Attack
from nenni.training.objective import CrossEntropy

__all__ = ["Adversarial"]


@dataclass(frozen=True)
class Adversarial(CrossEntropy):
    """Cross entropy of the images that the recipe's attack makes.

    Madry et al.: Towards deep learning models resistant to adversarial attacks, ICLR 2018, eq. 2.1.
    """

    def perturb(
        self, model: nn.Module, x: Tensor, y: Tensor, eps: float, attack: Attack | None,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """The attack's images."""
        assert attack is not None
        return attack(model, x, y, eps, generator)
