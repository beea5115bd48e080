"""A test with an answer that is known: planted adversarial images that an attack should find."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball
from nenni.adversary.gradient import frozen
from nenni.adversary.judge import Judge, Watched
from nenni.core.keyed import Keyed
from nenni.core.seeding import generator
from nenni.core.types import Norm
from nenni.networks.hooks import hooked

_INNER, _TRIED = 24, 8
"""Random points of each ball from which the readout is made, and on which it is tried."""
_WITHIN = 0.98
"""Share of eps within which those points lie; the planted one is at the border."""
_RIDGE = 1e-3
Attacker = Callable[[nn.Module, Tensor, Tensor, float, torch.Generator], Tensor]


def planted_and_missed(
    model: nn.Module,
    images: Tensor,
    *,
    eps: float,
    norm: Norm,
    attack: Attacker,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Which images had a point planted that random points do not find, and which the attack missed.

    Zimmermann, Brendel, Tramer, Carlini: Increasing confidence in adversarial robustness
    evaluations, NeurIPS 2022: in place of the last layer each image gets a linear readout of the
    features, fitted so that random points of its ball are of one class and one point at the border
    is of the other. The attack, which goes through the same network, has to find that class.

    Parameters
    ----------
    model : Module
        A deterministic classifier whose last linear layer is a module.
    images : Tensor
        (N, C, H, W) in [0, 1].
    eps, norm : float, "linf" or "l2"
        The ball.
    attack : callable
        As :mod:`nenni.adversary.attacks` describes them.
    seed : int
        Root of the random points.

    Returns
    -------
    planted, missed : Tensor
        (N,) of bool each; no image is planted where the network has no last linear layer.
    """
    nothing = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    features = Features(model)
    if not features.there(images[:2]):
        return nothing, nothing
    draws = Keyed.by_content(images, generator(seed, "binarisation"))
    inner = Ball(images, _WITHIN * eps, norm)
    with torch.no_grad():
        points = torch.stack([features(inner.uniform(draws.at(i))) for i in range(_INNER)], 1)
        border = Ball(images, eps, norm).border(draws.at(_INNER))
        target = features(border)
        direction = _readout(points, target)
        highest = torch.einsum("nid,nd->ni", points, direction).amax(1)
        reached = (target * direction).sum(1)
        readout = Readout(features, direction, (highest + reached) / 2)
        tried = [readout(inner.uniform(draws.at(-2 - i))).argmax(1) for i in range(_TRIED)]
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    planted = (reached > highest) & (torch.stack(tried) == 0).all(0)
    judge = Judge(None, images, labels, eps, norm)
    whole = torch.arange(len(images), device=images.device)
    attack(Watched(readout, judge, whole), images, labels, eps, generator(seed, "binarised"))
    return planted, planted & ~judge.broken


class Features(nn.Module):
    """What the last linear layer of a network is given.

    Parameters
    ----------
    model : Module
        A classifier.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.training = model, getattr(model, "training", False)
        self.call: int | None = None

    def there(self, images: Tensor) -> bool:
        """Whether there is one, and it sees one row per image.

        The logits have a gradient for what it returns, and that has one for the images: a head that
        the logits do not hear, or that is cut off, is not it.
        """
        with frozen(self.model):
            x = images.clone().requires_grad_()
            logits, calls = self._asked(x.clone())
            if not logits.requires_grad:
                return False
            outputs = [z for _, z in calls]
            heard = _gradients(logits.square().sum(), outputs)
        for call, (features, _) in enumerate(calls):
            rows = features.dim() == 2 and len(features) == len(images)
            if rows and features.requires_grad and heard[call] is not None:
                self.call = call
        return self.call is not None

    def forward(self, images: Tensor) -> Tensor:
        """Features (N, d)."""
        assert self.call is not None
        _, calls = self._asked(images.clone())
        return calls[self.call][0]

    def _asked(self, images: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Logits, and what each call of a linear layer was given and returned."""
        seen: list[tuple[Tensor, Tensor]] = []

        def keep(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen.append((inputs[0], output))

        layers = [module for module in self.model.modules() if isinstance(module, nn.Linear)]
        with hooked([layer.register_forward_hook(keep) for layer in layers]):
            return self.model(images), seen


def _gradients(value: Tensor, of: list[Tensor]) -> list[Tensor | None]:
    """The gradient of a number for each of some tensors, None where it has none."""
    used = [z for z in of if z.requires_grad]
    if not used:
        return [None] * len(of)
    found = iter(torch.autograd.grad(value, used, allow_unused=True))
    return [next(found) if z.requires_grad else None for z in of]


class Readout(nn.Module):
    """Two classes by a linear readout of each image's own.

    Parameters
    ----------
    features : Module
        Images (N, C, H, W) -> (N, d).
    direction, threshold : Tensor
        (N, d) and (N,): class 1 is where the features reach further along the direction.
    """

    def __init__(self, features: nn.Module, direction: Tensor, threshold: Tensor) -> None:
        super().__init__()
        self.features, self.training = features, features.training
        self.direction, self.threshold = direction, threshold

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 2)."""
        beyond = (self.features(images) * self.direction).sum(1) - self.threshold
        return torch.stack([-beyond, beyond], 1)


def _readout(points: Tensor, target: Tensor) -> Tensor:
    """Direction (N, d) along which the target lies far from the points (N, i, d), by ridge.

    With X the centred points, (X'X + r) w = t - mean, solved among the points and the target.
    """
    mean = points.mean(1, keepdim=True)
    centred = (points - mean).double()
    away = (target[:, None] - mean).double()
    scale = centred.square().sum((1, 2), keepdim=True) / centred.shape[1]
    gram = centred @ centred.mT
    eye = torch.eye(centred.shape[1], dtype=torch.float64, device=gram.device)
    ridge = _RIDGE * scale.clamp_min(torch.finfo(torch.float64).tiny)
    inner = torch.linalg.solve(gram + ridge * eye, centred @ away.mT)
    direction = (away - inner.mT @ centred)[:, 0]
    length = direction.norm(dim=1, keepdim=True)
    scaled: Tensor = direction / length.clamp_min(torch.finfo(torch.float64).tiny)
    return scaled.to(points)
