"""What an objective of training is, and the loss that most share."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.adversary.attack import Attack


class Objective(Protocol):
    """What is learned from a batch; see :mod:`nenni.training.objectives`.

    One that trains on clean images alone has the class attribute ``adversarial = False``: its
    recipes need no attack. One whose loss holds a gradient that is differentiated in turn has
    ``differentiates_twice = True``: what is replayed on a GPU can be differentiated once.
    """

    def perturb(
        self, model: nn.Module, x: Tensor, y: Tensor, eps: float, attack: Attack | None,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """Images to train on, within eps of x; the network is in eval mode."""

    def loss(
        self, model: nn.Module, x: Tensor, adversarial: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean loss, and the logits whose accuracy is told; the network is in train mode."""


class CrossEntropy:
    """Cross entropy of the images that ``perturb`` makes."""

    def loss(
        self, model: nn.Module, x: Tensor, adversarial: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean loss of these images, and their logits."""
        logits = model(adversarial)
        return F.cross_entropy(logits, y), logits
