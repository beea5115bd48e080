"""The attacks that the diagnostics compare, all on the same images of one network."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.attacks.pgd import climb
from nenni.adversary.ball import Ball
from nenni.adversary.gradient import ascent, frozen, mean_ascent
from nenni.adversary.losses import cross_entropy, objective, succeeds
from nenni.adversary.suites import Config, applicable, read_suite
from nenni.adversary.through import Through
from nenni.core.seeding import generator
from nenni.core.types import Norm
from nenni.evaluation.attack_images import attack_batch, score, told, varies
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
    injected = any(noisy_layers(model))
    random = varies(model, images)
    passes = draws if random else 1
    exact = Through(model, "exact") if injected else None
    clean = {
        n: score(n, images, labels, passes, (seed, 0)) for n in (model, exact) if n is not None
    }

    def chosen(suite: dict[str, Config]) -> dict[str, AttackChoice]:
        attacks = read_suite(suite, norm)
        return applicable(attacks, injected=injected, randomised=random, samples=draws)

    def run(
        name: str,
        attack: AttackChoice,
        radius: float = eps,
        by: nn.Module | None = None,
        on: nn.Module = model,
    ) -> "pd.Series[float]":
        table, _ = attack_batch(
            on, images, labels, clean[on], attack, radius, seed=seed, name=f"diagnose {name}",
            index=0, passes=passes, source=by,
        )  # fmt: skip
        progress(f"{name}: {told(table, attack, radius)}")
        return robust(pd.DataFrame(table))

    pgd = chosen({"pgd": PGD})["pgd"]
    whole = 1.0 if norm == "linf" else images[0].numel() ** 0.5
    flags = {name: run(name, attack) for name, attack in chosen(ATTACKS).items()}
    if source is not None:
        flags["transfer"] = run("transfer", pgd, by=source)
    for factor in (0.1, 10):
        flags[f"logits_{factor:g}"] = run("scaled logits", pgd, by=Scaled(model, factor))
    radii = {eps: flags["pgd"]} | {f * eps: run("pgd", pgd, f * eps) for f in _EPS_FACTORS}
    longer = chosen({f"{steps} steps": {**PGD, "steps": steps} for steps in _STEP_COUNTS})
    steps = {STEPS: flags["pgd"], 2 * STEPS: flags["twice_steps"]}
    steps |= {attack.arguments["steps"]: run(name, attack) for name, attack in longer.items()}
    silent, path = _follow(model, images, labels, Ball(images, eps, norm), pgd, seed)
    return Battery(
        flags=flags,
        by_eps={radius: float(radii[radius].mean()) for radius in sorted(radii)},
        by_steps={count: float(steps[count].mean()) for count in sorted(steps)},
        at_half=float(run("pgd", pgd, whole / 2).mean()),
        unbounded=float(run("pgd", pgd, whole).mean()),
        largest_class=float(torch.bincount(labels).max()) / len(labels),
        zero_gradients=_zero_gradients(model, images, labels),
        silent=silent,
        path=path,
        exact_accuracy=None if exact is None else float(run("noise off", pgd, on=exact).mean()),
    )


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
