"""The attacks that the diagnostics compare, all on the same images of one network."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.attacks.pgd import climb
from nenni.adversary.ball import Ball
from nenni.adversary.gradient import ascent, frozen, mean_ascent
from nenni.adversary.losses import cross_entropy, objective, succeeds
from nenni.adversary.suites import applicable, read_suite
from nenni.adversary.through import Through
from nenni.core.plugins import Ref
from nenni.core.seeding import generator
from nenni.core.types import Norm
from nenni.evaluation.attack_images import Scores, attack_batch, score, told, varies
from nenni.evaluation.battery_attacks import ADAPTIVE, ATTACKS, PGD, STEPS, WHITE_BOX
from nenni.evaluation.preconditions import check_classifier, check_data
from nenni.evaluation.scoring import robust
from nenni.method.injection import noisy_layers

_EPS_FACTORS = (0.25, 0.5, 1.5, 2.0)
_STEP_COUNTS = (1, 5, 10, 5 * STEPS)


@dataclass(frozen=True)
class Battery:
    """Results on n images.

    Attributes
    ----------
    flags : dict
        Attack -> robust or not per image, a mean over the draws of a randomised network.
    by_eps, by_steps : dict
        Accuracy under PGD at multiples of eps (in units of the [0, 1] input), and after so many
        steps.
    at_half, unbounded : float
        Accuracy under PGD at L-inf eps 0.5, and with no bound but [0, 1].
    largest_class : float
        Share of the most frequent label.
    zero_gradients : float
        Share of the correctly classified images whose loss has no gradient at all.
    silent : float
        Share misclassified at some step of a PGD run, but not by its last iterate.
    path : list of float
        Mean loss before each step of that run, and after the last.
    exact_accuracy : float or None
        Accuracy under PGD of an injected network whose noise is switched off.
    """

    flags: dict[str, "pd.Series[float]"]
    by_eps: dict[float, float]
    by_steps: dict[int, float]
    at_half: float
    unbounded: float
    largest_class: float
    zero_gradients: float
    silent: float
    path: list[float]
    exact_accuracy: float | None

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.flags["pgd"])

    @property
    def accuracy(self) -> dict[str, float]:
        """Attack -> robust accuracy."""
        return {name: float(flags.mean()) for name, flags in self.flags.items()}

    def least(self, names: Iterable[str]) -> "pd.Series[float]":
        """Per image, the least over those of these attacks that ran."""
        return pd.concat([self.flags[n] for n in names if n in self.flags], axis=1).min(axis=1)

    def adds(self, names: Iterable[str], to: Iterable[str]) -> float | None:
        """Share of images that the first attacks break and the others do not; None if none ran."""
        ran = [name for name in names if name in self.flags]
        if not ran:
            return None
        return float(self.least(to).mean() - self.least([*to, *ran]).mean())

    @property
    def late_rise(self) -> float:
        """Share of the loss's rise that the last tenth of the steps made."""
        start, end = self.path[0], self.path[-1]
        before = self.path[-1 - max(1, len(self.path) // 10)]
        return (end - before) / (end - start) if end > start else 0.0

    @property
    def noise_gain(self) -> float | None:
        """Robust accuracy that is there with the noise and not without."""
        if self.exact_accuracy is None:
            return None
        return float(self.least([*WHITE_BOX, *ADAPTIVE]).mean()) - self.exact_accuracy

    def curves(self) -> pd.DataFrame:
        """The three curves as one table; see :class:`nenni.evaluation.diagnose.Diagnosis`."""
        path = dict(enumerate(self.path))
        named: dict[str, dict[Any, float]] = {
            "eps": self.by_eps, "steps": self.by_steps, "path": path,
        }  # fmt: skip
        rows = [(curve, x, y) for curve, points in named.items() for x, y in points.items()]
        return pd.DataFrame(rows, columns=["curve", "x", "y"])


def run_battery(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm,
    source: nn.Module | None,
    seed: int,
    draws: int,
    progress: Callable[[str], None],
) -> Battery:
    """Run every attack; see :func:`nenni.evaluation.diagnose.diagnose` for the parameters."""
    check_data(images, labels, check_classifier(model, images[:1]))
    trial = _Trial.prepare(model, images, labels, eps, norm, seed, draws, progress)
    pgd = trial.chosen({"pgd": PGD})["pgd"]
    flags = _compared(trial, pgd, source)
    by_eps = {factor * eps: trial.accuracy("pgd", pgd, factor * eps) for factor in _EPS_FACTORS}
    longer = trial.chosen({f"{count} steps": {**PGD, "steps": count} for count in _STEP_COUNTS})
    by_steps = {a.arguments["steps"]: trial.accuracy(name, a) for name, a in longer.items()}
    by_eps[eps] = by_steps[STEPS] = float(flags["pgd"].mean())
    by_steps[2 * STEPS] = float(flags["twice_steps"].mean())
    silent, path = _follow(model, images, labels, Ball(images, eps, norm), pgd, seed)
    whole = 1.0 if norm == "linf" else images[0].numel() ** 0.5
    return Battery(
        flags=flags,
        by_eps=dict(sorted(by_eps.items())),
        by_steps=dict(sorted(by_steps.items())),
        at_half=trial.accuracy("pgd", pgd, whole / 2),
        unbounded=trial.accuracy("pgd", pgd, whole),
        largest_class=float(torch.bincount(labels).max()) / len(labels),
        zero_gradients=_zero_gradients(model, images, labels),
        silent=silent,
        path=path,
        exact_accuracy=_exact_accuracy(trial, pgd),
    )


@dataclass(frozen=True)
class _Trial:
    """A network and the images that every attack has, with what is known of them before.

    Attributes
    ----------
    model : Module
        The network that is judged.
    images, labels : Tensor
        Images (N, C, H, W) and their classes (N,).
    clean : dict
        The network's scores of the images.
    eps, norm : float, str
        Radius where no other is given, and what it bounds.
    injected, randomised : bool
        What the network is.
    seed, draws : int
        Root of the random choices, and draws on which a randomised network is judged.
    progress : callable
        Receives one line per attack.
    """

    model: nn.Module
    images: Tensor
    labels: Tensor
    clean: Scores
    eps: float
    norm: Norm
    injected: bool
    randomised: bool
    seed: int
    draws: int
    progress: Callable[[str], None]

    @classmethod
    def prepare(
        cls, model: nn.Module, images: Tensor, labels: Tensor, eps: float, norm: Norm, seed: int,
        draws: int, progress: Callable[[str], None],
    ) -> "_Trial":  # fmt: skip
        """Find out what the network is, and score the clean images."""
        randomised = varies(model, images)
        clean = score(model, images, labels, draws if randomised else 1, (seed, 0))
        injected = any(noisy_layers(model))
        return cls(
            model, images, labels, clean, eps, norm, injected, randomised, seed, draws, progress
        )

    @property
    def passes(self) -> int:
        """Draws on which this network is judged."""
        return self.draws if self.randomised else 1

    def chosen(self, suite: dict[str, Ref]) -> dict[str, AttackChoice]:
        """The attacks of a suite that apply to the network."""
        return applicable(
            read_suite(suite, self.norm),
            injected=self.injected, randomised=self.randomised, samples=self.draws,
        )  # fmt: skip

    def run(
        self,
        name: str,
        attack: AttackChoice,
        radius: float | None = None,
        by: nn.Module | None = None,
    ) -> "pd.Series[float]":
        """Attack by the network's own gradients, or by those of another; robust per image."""
        eps = self.eps if radius is None else radius
        table, _ = attack_batch(
            self.model, self.images, self.labels, self.clean, attack, eps, seed=self.seed,
            name=f"diagnose {name}", index=0, passes=self.passes, source=by,
        )  # fmt: skip
        self.progress(f"{name}: {told(table, attack, eps)}")
        return robust(pd.DataFrame(table))

    def accuracy(self, name: str, attack: AttackChoice, radius: float | None = None) -> float:
        """Robust accuracy by the network's own gradients."""
        return float(self.run(name, attack, radius).mean())


def _compared(
    trial: _Trial, pgd: AttackChoice, source: nn.Module | None
) -> dict[str, "pd.Series[float]"]:
    """The attacks that are compared image by image, all at the trial's eps."""
    flags = {name: trial.run(name, attack) for name, attack in trial.chosen(ATTACKS).items()}
    if source is not None:
        flags["transfer"] = trial.run("transfer", pgd, by=source)
    for factor in (0.1, 10):
        scaled = Scaled(trial.model, factor)
        flags[f"logits_{factor:g}"] = trial.run("scaled logits", pgd, by=scaled)
    return flags


def _exact_accuracy(trial: _Trial, pgd: AttackChoice) -> float | None:
    """Robust accuracy of the exact network within an injected one."""
    if not trial.injected:
        return None
    exact = Through(trial.model, "exact")
    clean = score(exact, trial.images, trial.labels, trial.passes, (trial.seed, 0))
    return replace(trial, model=exact, clean=clean).accuracy("noise off", pgd)


class Scaled(nn.Module):
    """A classifier whose logits are multiplied by a number, which changes no prediction."""

    def __init__(self, model: nn.Module, factor: float) -> None:
        super().__init__()
        self.model, self.factor = model, factor
        self.training = model.training

    def forward(self, x: Tensor) -> Tensor:
        """Scaled logits."""
        return self.factor * self.model(x)  # type: ignore[no-any-return]


def _zero_gradients(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    with frozen(model):
        gradient, logits = ascent(model, images, objective(labels, "ce", targeted=False))
    right = logits.argmax(1) == labels
    zero = gradient.flatten(1).abs().amax(1) == 0
    return float((zero & right).sum() / right.sum().clamp_min(1))


def _follow(
    model: nn.Module, images: Tensor, labels: Tensor, ball: Ball, attack: AttackChoice, seed: int
) -> tuple[float, list[float]]:
    """Silent successes of a PGD run, and the mean loss along it."""
    draws = generator(seed, "diagnose", "path")
    samples = attack.arguments["samples"]
    ever = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    losses: list[float] = []

    def look(at: Tensor) -> Tensor:
        with torch.no_grad():
            logits = model(at)
        losses.append(float(cross_entropy(logits, labels).mean()))
        return succeeds(logits, labels)

    def rising(at: Tensor, y: Tensor) -> tuple[Tensor, None]:
        ever.logical_or_(look(at))
        away = objective(y, "ce", targeted=False)
        return mean_ascent(model, at, away, samples, 0.0, draws), None

    steps, length = attack.arguments["steps"], attack.arguments["relative_step"] * ball.eps
    with frozen(model):
        last = climb(ball.uniform(draws), labels, ball, rising, steps, length / steps)
    return float((ever & ~look(last)).double().mean()), losses
