"""Auto-PGD."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball, over_samples, unit
from nenni.adversary.gradient import Ascent, Goal, frozen, mean_ascent
from nenni.adversary.judge import Watched, watched
from nenni.adversary.losses import objective
from nenni.core.keyed import Keyed
from nenni.core.types import Count, Loss, NonNegative, Norm, Passes

__all__ = ["apgd"]

_ALPHA = 0.75
"""Share of the step that is new, the rest being momentum (eq. 2)."""
_RHO = 0.75
"""Share of the steps that must raise the loss, or the next ones are shorter (condition 1)."""
_FIRST, _SHORTER, _SHORTEST = 0.22, 0.03, 0.06
"""Shares of the steps: the first interval, what each is shorter than the last, the shortest."""


def apgd(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    loss: Loss = "ce",
    steps: Count = 100,
    restarts: Count = 1,
    samples: Passes = 1,
    sigma: NonNegative = 0.0,
) -> Tensor:
    """PGD with momentum whose step is halved where the loss no longer rises; the best point.

    Croce, Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks, ICML 2020, algorithm 1. An image leaves the batch at the point that is
    misclassified, but of a randomised network, where one lucky draw says nothing.

    Parameters
    ----------
    model, inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Draws the starts, and the noise on the input.
    loss : "ce", "margin", "dlr" or "pm"
        What rises: see :mod:`nenni.adversary.losses`.
    steps : int
        Number of gradient steps.
    restarts : int
        So many runs.
    samples, sigma : int, float
        See :func:`nenni.adversary.attacks.pgd.pgd`.
    """
    model = watched(model, inputs, labels, eps, norm, targeted=targeted, judged=True)
    draws, ball = Keyed.by_content(inputs, generator), Ball(inputs, eps, norm)

    def away(rows: Tensor) -> Goal:
        return objective(labels[rows], loss, targeted)

    with frozen(model):
        for run in range(restarts):
            ascend(model, ball, away, steps, samples, sigma, draws.at(run))
    return model.worst


@dataclass(frozen=True)
class _State:
    """Where a run is, one row per image that is not broken."""

    row: Tensor
    image: Tensor
    before: Tensor
    gradient: Tensor
    value: Tensor
    best_image: Tensor
    best_gradient: Tensor
    best: Tensor
    step: Tensor
    rises: Tensor
    halved: Tensor
    best_then: Tensor

    def of(self, keep: Tensor) -> "_State":
        """Some of the images."""
        return self if bool(keep.all()) else _State(*(t[keep] for t in vars(self).values()))


def ascend(
    model: Watched,
    ball: Ball,
    goal: Callable[[Tensor], Goal],
    steps: int,
    samples: int,
    sigma: float,
    draws: Keyed,
) -> None:
    """Algorithm 1, from a random start, on the images that are not broken; the judge sees it.

    Parameters
    ----------
    model : Watched
        What is attacked, with parameters frozen.
    ball : Ball
        Where to stay.
    goal : callable
        Numbers of some images -> what is to rise for them.
    steps, samples, sigma : int, int, float
        See :func:`apgd`.
    draws : Keyed
        Streams of the images.
    """

    def look(images: Tensor, rows: Tensor, step: int) -> Ascent:
        streams = draws.of(rows).at(step + 1)
        return mean_ascent(model.of(rows), images, goal(rows), samples, sigma, streams)

    rows = (~model.broken).nonzero()[:, 0]
    if not len(rows):
        return
    near = ball.of(rows)
    image = near.uniform(draws.of(rows).at(0))
    found = look(image, rows, 0)
    state = _State(
        rows, image, image, found.gradient, found.value, image, found.gradient, found.value,
        torch.full_like(found.value, 2 * ball.eps, dtype=image.dtype),
        torch.zeros_like(found.value),
        torch.ones_like(found.value, dtype=torch.bool), found.value,
    )  # fmt: skip
    checks = _checkpoints(steps)
    for step in range(1, steps + 1):
        left = state.of(~model.broken[state.row])
        if left is not state:
            state, near = left, ball.of(left.row)
        if not len(state.row):
            return
        image = _moved(state, near, momentum=step > 1)
        found = look(image, state.row, step)
        better = found.value > state.best
        wide = over_samples(better, image)
        state = replace(
            state, image=image, before=state.image, gradient=found.gradient, value=found.value,
            best_image=torch.where(wide, image, state.best_image),
            best_gradient=torch.where(wide, found.gradient, state.best_gradient),
            best=torch.where(better, found.value, state.best),
            rises=state.rises + (found.value > state.value),
        )  # fmt: skip
        if step in checks:
            state = _checked(state, checks[step])


def _checkpoints(steps: int) -> dict[int, int]:
    """Step at which the run is looked at -> steps since the last time (section 3.3)."""
    interval, found, step = max(1, int(_FIRST * steps)), {}, 0
    while step + interval <= steps:
        step += interval
        found[step] = interval
        interval = max(interval - max(1, int(_SHORTER * steps)), max(1, int(_SHORTEST * steps)))
    return found


def _moved(state: _State, ball: Ball, *, momentum: bool) -> Tensor:
    """One step along the gradient, and a share of the step before (eq. 2)."""
    step = over_samples(state.step, state.image)
    there = ball.project(state.image + step * unit(state.gradient, ball.norm))
    if not momentum:
        return there
    ahead, inertia = there - state.image, state.image - state.before
    return ball.project(state.image + _ALPHA * ahead + (1 - _ALPHA) * inertia)


def _checked(state: _State, interval: int) -> _State:
    """Half the step, and back to the best point, where the loss rose too seldom (section 3.2)."""
    stalled = ~state.halved & (state.best <= state.best_then)
    halve = (state.rises < _RHO * interval) | stalled
    wide = over_samples(halve, state.image)
    return replace(
        state,
        image=torch.where(wide, state.best_image, state.image),
        before=torch.where(wide, state.best_image, state.before),
        gradient=torch.where(wide, state.best_gradient, state.gradient),
        value=torch.where(halve, state.best, state.value),
        step=torch.where(halve, state.step / 2, state.step),
        rises=torch.zeros_like(state.rises),
        halved=halve,
        best_then=state.best,
    )
