"""The loss that most methods share."""

import torch.nn.functional as F
from torch import Tensor, nn


class CrossEntropy:
    """Cross entropy of the images that ``perturb`` makes."""

    def loss(
        self, model: nn.Module, x: Tensor, adversarial: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean loss of these images, and their logits."""
        logits = model(adversarial)
        return F.cross_entropy(logits, y), logits
