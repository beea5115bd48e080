"""Fast adversarial training: FGSM from a random start."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nenni.adversary.attack import Attack
from nenni.adversary.ball import Ball
from nenni.adversary.gradient import ascent, frozen
from nenni.adversary.losses import objective
from nenni.core.types import LInf, Positive
from nenni.training.objective import CrossEntropy

__all__ = ["FgsmRs"]


@dataclass(frozen=True)
class FgsmRs(CrossEntropy):
    """Cross entropy of x + d, d <- clip(d + a sign(dL/dx)) once from d uniform in [-eps, eps].

    Wong, Rice, Kolter: Fast is better than free: revisiting adversarial training, ICLR 2020,
    algorithm 3. The recipe's attack does not train: it checks for catastrophic overfitting, at
    which accuracy under FGSM stays while that under PGD falls to nothing (their section 5).

    Parameters
    ----------
    norm : "linf"
        What eps bounds.
    alpha : float
        Length of the step in units of eps.
    """

    norm: LInf = "linf"
    alpha: Positive = 1.25

    def perturb(
        self, model: nn.Module, x: Tensor, y: Tensor, eps: float, attack: Attack | None,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """The images of one step; the start is clipped to the ball too."""
        ball = Ball(x, eps, self.norm)
        u = torch.rand(x.shape, generator=generator, device=generator.device).to(x)
        start = ball.project(x + eps * (2 * u - 1))
        with frozen(model):
            gradient = ascent(model, start, objective(y, "ce", targeted=False)).gradient
        return ball.project(start + self.alpha * eps * gradient.sign())
