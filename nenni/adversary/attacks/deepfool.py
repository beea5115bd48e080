"""DeepFool."""

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, length, over_samples
from nenni.adversary.gradient import differentiable, frozen
from nenni.adversary.judge import watched
from nenni.adversary.losses import succeeds
from nenni.core.types import Count, NonNegative, Norm, Passes

__all__ = ["deepfool"]


def deepfool(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "l2",
    steps: Count = 50,
    classes: Count = 10,
    overshoot: NonNegative = 0.02,
    samples: Passes = 1,
) -> Tensor:
    """Small perturbation: to the nearest border of the linearised classifier, again and again.

    Moosavi-Dezfooli, Fawzi, Frossard: DeepFool, CVPR 2016, algorithm 2 and, for L-inf, eq. 11.
    With w_k and f_k the differences of class k and the label in gradient and logit, the class of
    the least abs(f_k) / norm(w_k) is chosen, the norm L2, or L1 for L-inf, and the step is
    abs(f_k) w_k / norm(w_k)^2, or abs(f_k) sign(w_k) / norm(w_k).

    Parameters
    ----------
    model, inputs, labels, eps, norm
        See :mod:`nenni.adversary.attacks`; untargeted only.
    generator : Generator
        Decides nothing: the attack is deterministic.
    steps : int
        Largest number of linearisations.
    classes : int
        Only so many classes of the largest logits are looked at, the label among them.
    overshoot : float
        The sum of all steps is made longer by this share, to cross the border.
    samples : int
        Logits and gradients are a mean over so many passes, for a randomised network.
    """
    model = watched(model, inputs, labels, eps, norm)
    total = torch.zeros_like(inputs)
    active = torch.arange(len(inputs), device=inputs.device)
    with frozen(model):
        for _ in range(steps):
            images = _beyond(inputs[active], total[active], overshoot).requires_grad_()
            here = model.of(active)
            with here.one_point(images):
                passes = [differentiable(here(images)) for _ in range(samples)]
            logits = torch.stack(passes).mean(0)
            going = ~succeeds(logits.detach(), labels[active])
            if not bool(going.any()):
                break
            step = _step(images, logits, labels[active], min(classes, logits.shape[1]), norm)
            active = active[going]
            total[active] += step[going]
    found = _beyond(inputs, total, overshoot)
    return Ball(inputs, eps, norm).keep(found)


def _beyond(inputs: Tensor, total: Tensor, overshoot: float) -> Tensor:
    return (inputs + (1 + overshoot) * total).clamp(0, 1)


def _step(images: Tensor, logits: Tensor, labels: Tensor, classes: int, norm: Norm) -> Tensor:
    """Shortest step to a border of the linearised classifier."""
    others = logits.detach().scatter(1, labels[:, None], -torch.inf)
    best = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)
    step = torch.zeros_like(images)
    true = logits.gather(1, labels[:, None])[:, 0]
    for candidate in others.topk(classes - 1, dim=1).indices.unbind(1):
        difference = logits.gather(1, candidate[:, None])[:, 0] - true
        (w,) = torch.autograd.grad(difference.sum(), images, retain_graph=True)
        f = difference.detach().abs()
        tiny = torch.finfo(w.dtype).tiny
        dual = torch.linalg.vector_norm(w.flatten(1), 1 if norm == "linf" else 2, dim=1)
        dual = dual.clamp_min(tiny)
        nearest = (f / dual).double() < best
        direction = w.sign() if norm == "linf" else w / over_samples(dual, w)
        move = over_samples(f / dual, w) * direction
        usable = nearest & (length(w, "linf") > 0)
        step = torch.where(over_samples(usable, step), move, step)
        best = torch.where(usable, (f / dual).double(), best)
    return step
