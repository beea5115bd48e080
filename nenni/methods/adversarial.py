"""Adversarial training."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.protocols import Attack

__all__ = ["Adversarial"]


@dataclass(frozen=True)
class Adversarial:
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

    def loss(
        self, model: nn.Module, x: Tensor, adversarial: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean loss of the attacked images, and their logits."""
        logits = model(adversarial)
        return F.cross_entropy(logits, y), logits
