"""TRADES."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.adversary.attack import Attack
from nenni.adversary.attacks.pgd import climb
from nenni.adversary.ball import Ball, gaussian_like
from nenni.adversary.gradient import ascent, frozen
from nenni.core.types import Count, LInf, NonNegative, Positive
from nenni.networks.asking import answer

__all__ = ["Trades"]

_START = 0.001
"""Deviation of the normal start, as in the authors' code."""


@dataclass(frozen=True)
class Trades:
    """CE(f(x), y) + beta KL(f(x) || f(x')), x' in the ball where the second term is largest.

    Zhang et al.: Theoretically principled trade-off between robustness and accuracy, ICML 2019,
    eq. 5 and algorithm 1; beta is their 1 / lambda. The recipe's attack does not train.

    Parameters
    ----------
    norm : "linf"
        What eps bounds.
    beta : float
        Weight of the second term.
    steps : int
        Gradient steps on it for each batch.
    relative_step : float
        Total length of all steps, in units of eps.
    """

    norm: LInf = "linf"
    beta: NonNegative = 6.0
    steps: Count = 10
    relative_step: Positive = 2.5

    def perturb(
        self, model: nn.Module, x: Tensor, y: Tensor, eps: float, attack: Attack | None,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """Steps along the sign of the gradient of the divergence, from near the images."""
        ball = Ball(x, eps, self.norm)
        with torch.no_grad():
            clean = answer(model, x)

        def rising(images: Tensor, _: Tensor) -> tuple[Tensor, None]:
            return ascent(model, images, lambda z: divergence(clean, z)).gradient, None

        start = ball.project(x + _START * gaussian_like(x, generator))
        step = self.relative_step * eps / self.steps
        with frozen(model):
            return climb(start, ball, rising, self.steps, step)

    def loss(
        self, model: nn.Module, x: Tensor, adversarial: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean loss, and the logits of the attacked images."""
        clean, attacked = model(x), model(adversarial)
        return F.cross_entropy(clean, y) + self.beta * divergence(clean, attacked).mean(), attacked


def divergence(clean: Tensor, attacked: Tensor) -> Tensor:
    """KL(softmax(clean) || softmax(attacked)) of logits (N, classes), as (N,)."""
    log_p, log_q = clean.log_softmax(1), attacked.log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1)
