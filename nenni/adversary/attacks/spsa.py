"""PGD whose gradient is estimated from differences of the function."""

from itertools import count

import torch
from torch import Tensor, nn

from nenni.adversary.attacks.pgd import climb
from nenni.adversary.ball import Ball, over_samples
from nenni.adversary.gradient import mean_logits
from nenni.adversary.judge import watched
from nenni.adversary.losses import objective
from nenni.core.keyed import Keyed
from nenni.core.types import Count, Loss, Norm, Passes, Positive

__all__ = ["spsa"]


@torch.no_grad()
def spsa(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    loss: Loss = "margin",
    steps: Count = 30,
    relative_step: Positive = 5.0,
    directions: Count = 32,
    relative_delta: Positive = 0.25,
    samples: Passes = 1,
) -> Tensor:
    """X <- project(x + a sign(mean of (f(x + d v) - f(x - d v)) v)), v drawn from {-1, +1}.

    Uesato, O'Donoghue, van den Oord, Kohli: Adversarial risk and the dangers of evaluating against
    weak attacks, ICML 2018, section 4.2 (simultaneous perturbation: Spall, 1992), with steps of one
    length in place of Adam. It needs no gradient of the network, and sees its function on the scale
    of d, past plateaus and jumps that are narrower.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`. No gradient is taken.
    generator : Generator
        Draws the directions.
    loss, steps, relative_step
        See :func:`nenni.adversary.attacks.pgd.pgd`.
    directions : int
        Differences for one estimate, of two points each.
    relative_delta : float
        D, in units of eps under L-inf; under L2 the length of d v is so many eps.
    samples : int
        A point of a randomised network is judged by so many passes.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted)
    draws, ball = Keyed.by_content(inputs, generator), Ball(inputs, eps, norm)
    width = eps * relative_delta
    delta = width if norm == "linf" else width / max(1, inputs[:1].numel()) ** 0.5
    numbers = count()

    def rising(images: Tensor, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        here, away = model.of(rows), objective(labels[rows], loss, targeted)
        streams, total = draws.of(rows).at(next(numbers)), torch.zeros_like(images)

        def value(points: Tensor) -> Tensor:
            return away(mean_logits(here, points, samples))

        for i in range(directions):
            v = streams.at(i).signs(*images.shape[1:])
            total += over_samples(value(images + delta * v) - value(images - delta * v), v) * v
        mean_logits(here, images, samples)
        return total, here.broken if model.leave else None

    return climb(inputs, ball, rising, steps, relative_step * eps / steps)
