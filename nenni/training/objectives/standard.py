"""Training on the images as they are."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nenni.adversary.attack import Attack
from nenni.training.objective import CrossEntropy

__all__ = ["Standard"]


@dataclass(frozen=True)
class Standard(CrossEntropy):
    """Cross entropy of clean images."""

    adversarial: ClassVar[bool] = False

    def perturb(
        self, model: nn.Module, x: Tensor, y: Tensor, eps: float, attack: Attack | None,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """The images themselves."""
        return x
