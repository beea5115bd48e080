"""Training on the images as they are."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.protocols import Attack

__all__ = ["Standard"]


@dataclass(frozen=True)
class Standard:
    """Cross entropy of clean images."""

    def perturb(
        self, model: nn.Module, x: Tensor, y: Tensor, eps: float, attack: Attack | None,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """The images themselves."""
        return x

    def loss(
        self, model: nn.Module, x: Tensor, adversarial: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean loss, and the logits."""
        logits = model(x)
        return F.cross_entropy(logits, y), logits
