"""Whether the gradient of a network is that of its function: finite differences beside it."""

import torch
from torch import Tensor, nn

from nenni.adversary.ball import unit
from nenni.adversary.gradient import ascent, frozen
from nenni.adversary.losses import objective
from nenni.core.keyed import Keyed
from nenni.core.seeding import generator, seeded
from nenni.core.types import Norm
from nenni.evaluation.subject import Subject

SCALES = (200, 50, 10)
"""Eps over the half-width of a difference."""
_POINTS = 4
"""Points near each image, of whose quotients the median is taken."""
_DOUBT = 0.2
"""Share of the images of an evaluation that is no chance."""
FACTOR = 2.0
"""Quotients between 1 / 2 and 2 count as agreement."""


def disagreement(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm,
    seed: int,
    draws: int,
) -> dict[int, Tensor]:
    """Which images have another slope than their gradient says, at each scale.

    Near each image, with m the margin of the largest other class and s the step along its gradient
    g, (m(x + h s) - m(x - h s)) / 2h is compared with g.s. A gradient that is cut off, replaced or
    that of a smoothed function does not pass, nor does a function that is flat or jumps on the
    scale of h. Images without any gradient are left to another check.

    Parameters
    ----------
    model : Module
        A classifier that gives logits.
    images, labels : Tensor
        Images (N, C, H, W) in [0, 1] and their classes (N,).
    eps, norm : float, "linf" or "l2"
        Of the attacks: h is eps over each of :data:`SCALES`.
    seed, draws : int
        A randomised network is averaged over so many draws, the same on both sides.

    Returns
    -------
    dict
        Scale -> (N,) of bool.
    """
    streams = Keyed.by_content(images, generator(seed, "gradient check"))
    margins, found = _Margins(model, images, labels, seed, draws), {}
    for scale in SCALES:
        h, quotients = eps / scale, []
        for i in range(_POINTS):
            if norm == "linf":
                u = 2 * streams.at(i).uniform(*images.shape[1:]) - 1
                point = (images + h * u).clamp(h, 1 - h)
            else:
                point = images + h * unit(streams.at(i).normal(*images.shape[1:]), "l2")
            gradient = margins.gradient(point)
            step = unit(gradient, norm)
            slope = (gradient * step).flatten(1).sum(1)
            rise = margins.at(point + h * step) - margins.at(point - h * step)
            quotients.append(rise / (2 * h) / slope)
        middle = torch.stack(quotients).nan_to_num(nan=1.0).sort(0).values[(_POINTS - 1) // 2]
        found[scale] = (middle < 1 / FACTOR) | (middle > FACTOR)
    return found


def without_gradient(model: nn.Module, images: Tensor, labels: Tensor, passes: int) -> Tensor:
    """Which correctly classified images have no gradient of the margin at all, (N,) of bool.

    Of cross entropy an honest network that is sure of itself has none either, in single precision.

    Parameters
    ----------
    model : Module
        A classifier that gives logits.
    images, labels : Tensor
        Images (N, C, H, W) in [0, 1] and their classes (N,).
    passes : int
        A randomised network is asked so often.
    """
    zero = torch.ones_like(labels, dtype=torch.bool)
    with frozen(model):
        for _ in range(passes):
            found = ascent(model, images.clone(), objective(labels, "margin", targeted=False))
            right = found.logits.argmax(1) == labels
            zero &= right & (found.gradient.flatten(1).abs().amax(1) == 0)
    return zero


def doubtful(
    subject: Subject,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm,
    seed: int,
    draws: int,
) -> bool:
    """Whether a few images say that attacks by the gradient cannot be believed.

    Of a network of this method, which rounds and chooses by hard masks, the slope is not asked for.

    Parameters
    ----------
    subject : Subject
        The network.
    images, labels, eps, norm, seed, draws
        See :func:`disagreement`.
    """
    if subject.classes is None or eps == 0:
        return False
    model = subject.attacked
    passes = draws if subject.randomised else 1
    if float(without_gradient(model, images, labels, passes).double().mean()) > _DOUBT:
        return True
    if subject.injected or subject.randomised:
        return False
    apart = disagreement(model, images, labels, eps=eps, norm=norm, seed=seed, draws=passes)
    return min(float(off.double().mean()) for off in apart.values()) > _DOUBT


class _Margins:
    """Margins of the class that is second at the images, averaged over draws."""

    def __init__(
        self, model: nn.Module, images: Tensor, labels: Tensor, seed: int, draws: int
    ) -> None:
        self.model, self.labels, self.seed, self.draws = model, labels, seed, draws
        with torch.no_grad():
            logits = self._logits(images)
        self.others = logits.scatter(1, labels[:, None], -torch.inf).argmax(1)

    def at(self, points: Tensor) -> Tensor:
        """Z of the second class less that of the label, (N,)."""
        with torch.no_grad():
            return self._of(self._logits(points))

    def gradient(self, points: Tensor) -> Tensor:
        """Of that margin, for the points."""
        points = points.detach().requires_grad_()
        with frozen(self.model):
            (found,) = torch.autograd.grad(self._of(self._logits(points)).sum(), points)
        return found.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)

    def _logits(self, points: Tensor) -> Tensor:
        passes = []
        for draw in range(self.draws):
            with seeded(self.seed, "gradient check", draw):
                passes.append(self.model(points.clone()))
        return torch.stack(passes).mean(0)

    def _of(self, logits: Tensor) -> Tensor:
        true = logits.gather(1, self.labels[:, None])[:, 0]
        return logits.gather(1, self.others[:, None])[:, 0] - true
