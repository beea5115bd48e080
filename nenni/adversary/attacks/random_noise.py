"""Random points of the ball, the weakest attack."""

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball
from nenni.adversary.judge import watched
from nenni.adversary.outputs import wrong_share
from nenni.core.keyed import Keyed
from nenni.core.types import Count, Norm, Passes

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
    samples: Passes = 1,
) -> Tensor:
    """X' = x + u, u uniform in the ball: of several draws the one that is misclassified most.

    Needs no more of the model than its labels.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Draws the points.
    draws : int
        Number of points per image.
    samples : int
        A point of a randomised network is judged by so many passes.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted)
    streams = Keyed.by_content(inputs, generator)
    found, worst = inputs.clone(), torch.full(labels.shape, -1.0, device=inputs.device)
    active = torch.arange(len(inputs), device=inputs.device)
    for i in range(draws):
        images = Ball(inputs[active], eps, norm).uniform(streams.of(active).at(i))
        share = wrong_share(model.of(active), images, labels[active], samples, targeted)
        better = share > worst[active]
        found[active[better]], worst[active[better]] = images[better], share[better]
        active = active[worst[active] < 1]
        if not len(active):
            break
    return found
