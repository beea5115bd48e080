"""Auto-PGD towards one class after another."""

import torch
from torch import Tensor, nn

from nenni.adversary.attacks.apgd import ascend
from nenni.adversary.ball import Ball
from nenni.adversary.gradient import Goal, differentiable, frozen
from nenni.adversary.judge import Watched, watched
from nenni.adversary.losses import towards
from nenni.core.keyed import Keyed
from nenni.core.types import Count, Loss, NonNegative, Norm, Passes

__all__ = ["apgd_targeted"]

_LOOKED_AT = 100
"""Classes of the largest logits among which the targets are ranked, as MALT has it."""


def apgd_targeted(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    loss: Loss = "dlr",
    targets: Count = 9,
    steps: Count = 100,
    samples: Passes = 1,
    sigma: NonNegative = 0.0,
) -> Tensor:
    """Auto-PGD towards the classes whose border the linearised network is nearest to, one by one.

    The runs are those of :func:`nenni.adversary.attacks.apgd.apgd`, the order of the targets that
    of Melamed, Yehudai, Shamir: MALT powers up adversarial attacks, NeurIPS 2024, algorithm 1: by
    (z_y - z_t) / |d(z_y - z_t)/dx|, the norm L1 for L-inf. AutoAttack takes those of the largest
    logits (Croce, Hein, ICML 2020, section 5).

    Parameters
    ----------
    model, inputs, labels, eps, norm
        See :mod:`nenni.adversary.attacks`; away from the label, by way of the targets.
    generator : Generator
        Draws the starts, and the noise on the input.
    loss : "ce", "margin", "dlr" or "pm"
        What rises: see :func:`nenni.adversary.losses.towards`.
    targets : int
        Number of classes that are tried, one run each; at most all but the label.
    steps : int
        Number of gradient steps of a run.
    samples, sigma : int, float
        See :func:`nenni.adversary.attacks.pgd.pgd`.
    """
    model = watched(model, inputs, labels, eps, norm, judged=True)
    draws, ball = Keyed.by_content(inputs, generator), Ball(inputs, eps, norm)
    with frozen(model):
        ranked = _nearest(model, inputs, labels, targets, norm, samples)
        for run, target in enumerate(ranked.unbind(1)):

            def away(rows: Tensor, target: Tensor = target) -> Goal:
                return towards(labels[rows], target[rows], loss)

            ascend(model, ball, away, steps, samples, sigma, draws.at(run))
    return model.worst


def _nearest(
    model: Watched, inputs: Tensor, labels: Tensor, targets: int, norm: Norm, samples: int
) -> Tensor:
    """The classes to which the linearised network has the shortest way, (N, targets)."""
    images = inputs.detach().requires_grad_()
    with model.one_point(images):
        passes = [differentiable(model(images)) for _ in range(samples)]
    logits = torch.stack(passes).mean(0)
    others = logits.detach().scatter(1, labels[:, None], -torch.inf)
    candidates = others.topk(min(_LOOKED_AT, logits.shape[1] - 1), dim=1).indices
    true = logits.gather(1, labels[:, None])[:, 0]
    ways = []
    for candidate in candidates.unbind(1):
        gap = true - logits.gather(1, candidate[:, None])[:, 0]
        (slope,) = torch.autograd.grad(gap.sum(), images, retain_graph=True)
        dual = torch.linalg.vector_norm(slope.flatten(1), 1 if norm == "linf" else 2, dim=1)
        ways.append(gap.detach() / dual.clamp_min(torch.finfo(dual.dtype).tiny))
    order = torch.stack(ways, 1).argsort(dim=1, stable=True)
    return candidates.gather(1, order)[:, :targets]
