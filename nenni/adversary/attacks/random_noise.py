"""Random points of the ball, the weakest attack."""

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball
from nenni.adversary.outputs import classes
from nenni.core.types import Count, Norm

__all__ = ["random_noise"]


@torch.no_grad()
def random_noise(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    draws: Count = 10,
) -> Tensor:
    """X' = x + u, u uniform in the ball: the first of several draws that is misclassified.

    Needs no more of the model than its labels.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Draws the points.
    draws : int
        Number of points per image.
    """
    found = inputs.clone()
    active = torch.arange(len(inputs), device=inputs.device)
    for _ in range(draws):
        images = Ball(inputs[active], eps, norm).uniform(generator)
        found[active] = images
        active = active[(classes(model(images)) == labels[active]) != targeted]
        if not len(active):
            break
    return found
