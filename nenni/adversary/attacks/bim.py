"""Basic iterative method."""

import torch
from torch import Tensor, nn

from nenni.adversary.attacks.pgd import pgd
from nenni.core.types import Count, Loss, Norm, Passes, Positive

__all__ = ["bim"]


def bim(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    loss: Loss = "ce",
    steps: Count = 10,
    relative_step: Positive = 1.0,
    samples: Passes = 1,
) -> Tensor:
    """X <- project(x + a sign(dL/dx)) from the image itself: PGD without a random start.

    Kurakin, Goodfellow, Bengio: Adversarial examples in the physical world, ICLR workshop 2017,
    section 2.2.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Decides nothing: the attack is deterministic.
    loss, steps, relative_step, samples
        See :func:`nenni.adversary.attacks.pgd.pgd`.
    """
    return pgd(
        model, inputs, labels, eps, generator, norm=norm, targeted=targeted, loss=loss,
        steps=steps, relative_step=relative_step, random_start=False, samples=samples,
    )  # fmt: skip
