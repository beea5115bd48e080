"""Training on the images as they are."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nenni.methods._cross_entropy import CrossEntropy
from nenni.protocols import Attack

__all__ = ["Standard"]


@dataclass(frozen=True)
class Standard(CrossEntropy):
    """Cross entropy of clean images."""

    def perturb(
        self, model: nn.Module, x: Tensor, y: Tensor, eps: float, attack: Attack | None,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """The images themselves."""
        return x
