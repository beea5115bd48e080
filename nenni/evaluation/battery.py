"""The attacks and probes that the diagnostics compare, all on the same images of one network."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.suites import applicable, read_suite
from nenni.core.plugins import Ref
from nenni.core.types import LARGEST_RADIUS, Norm
from nenni.evaluation.ablation import without_noise
from nenni.evaluation.attack_images import Attacked, attack_batch, score_clean, told
from nenni.evaluation.battery_attacks import (
    ADAPTIVE,
    ATTACKS,
    EPS_FACTORS,
    LOGITS,
    PGD,
    STEP_COUNTS,
    STEPS,
    WHITE_BOX,
)
from nenni.evaluation.binarisation import planted_and_missed
from nenni.evaluation.consistency import inconsistent
from nenni.evaluation.done import Done
from nenni.evaluation.gradient_check import disagreement, without_gradient
from nenni.evaluation.scoring import Scores, least, robust, robust_at_any
from nenni.evaluation.subject import Subject
from nenni.method.baseline import baseline_layers

Flags = NDArray[np.float64]
"""One number per image, 0 or 1, or a share of draws."""


@dataclass(frozen=True)
class Battery:
    """Results on n images.

    Attributes
    ----------
    tables : dict
        Attack -> examples, see :func:`nenni.evaluation.attack_images.attack_batch`.
    by_eps, by_steps : dict
        The same under PGD at multiples of eps (in units of the [0, 1] input), and after so many
        steps.
    at_half, unbounded : DataFrame
        Under PGD at L-inf eps 0.5, and with no bound but [0, 1].
    largest_class : float
        Share of the most frequent label.
    zero_gradients : array
        Which of the correctly classified images have a margin without any gradient.
    disagreement : dict
        Scale -> images whose gradient is not that of the function.
    planted, missed : array
        Images with a point that the attack should find, and those where it does not.
    inconsistent : dict
        Setting -> images that are answered otherwise in it.
    path : list of float
        Mean margin before each step of PGD.
    exact_accuracy : float or None
        Accuracy under PGD of a defended network whose noise is switched off.
    rounds : bool
        The network is known to round, or to choose by hard masks.
    copied : bool
        Copies of it could be asked what they remember.
    """

    tables: dict[str, pd.DataFrame]
    by_eps: dict[float, pd.DataFrame]
    by_steps: dict[int, pd.DataFrame]
    at_half: pd.DataFrame
    unbounded: pd.DataFrame
    largest_class: float
    zero_gradients: Flags
    disagreement: dict[int, Flags]
    planted: Flags
    missed: Flags
    inconsistent: dict[str, Flags]
    path: list[float]
    exact_accuracy: float | None
    rounds: bool
    copied: bool

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.tables["pgd_20"])

    def least(self, names: Iterable[str]) -> Flags:
        """Per image, the least over those of these attacks that ran."""
        flags: Flags = least(self.tables[n] for n in names if n in self.tables).to_numpy()
        return flags

    def adds(self, names: Iterable[str], to: Iterable[str]) -> Flags | None:
        """Share of each image that the first attacks break and the others do not, if any ran."""
        ran = [name for name in names if name in self.tables]
        if not ran:
            return None
        return np.maximum(self.least(to) - self.least([*to, *ran]), 0)

    @property
    def late_rise(self) -> float:
        """Share of the margin's rise that the last tenth of the steps made."""
        if not self.path:
            return 0.0
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
        named: dict[str, dict[Any, float]] = {
            "eps": {eps: float(robust_at_any(t).mean()) for eps, t in self.by_eps.items()},
            "steps": {steps: float(robust(t).mean()) for steps, t in self.by_steps.items()},
            "path": dict(enumerate(self.path)),
        }
        rows = [(curve, x, y) for curve, points in named.items() for x, y in points.items()]
        return pd.DataFrame(rows, columns=["curve", "x", "y"])


def run_battery(
    subject: Subject,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm,
    source: nn.Module | None,
    seed: int,
    draws: int,
    done: Done,
    progress: Callable[[str], None],
) -> Battery:
    """Run every attack on a network, of which it is known how it has to be asked.

    See :func:`nenni.evaluation.diagnose.diagnose` for the other parameters.

    Raises
    ------
    Unsteady
        If the subject is no deterministic network, as which it was taken.
    """
    clean = score_clean(subject, images, labels, draws, seed, 0)
    trial = _Trial(subject, images, labels, clean, eps, norm, seed, draws, done, progress)
    pgd = trial.chosen({"pgd_20": PGD})["pgd_20"]
    followed = trial.attacked("pgd_20", pgd)
    tables = _compared(trial, pgd, pd.DataFrame(followed.table), source)
    whole = 1.0 if norm == "linf" else min(images[0].numel() ** 0.5, LARGEST_RADIUS)
    radii = {min(factor * eps, whole) for factor in EPS_FACTORS}
    by_eps = {radius: trial.run("pgd_20", pgd, radius) for radius in sorted(radii)}
    longer = trial.chosen({f"{count} steps": {**PGD, "steps": count} for count in STEP_COUNTS})
    by_steps = {a.arguments["steps"]: trial.run(name, a) for name, a in longer.items()}
    by_eps[eps] = by_steps[STEPS] = tables["pgd_20"]
    by_steps[2 * STEPS] = tables["twice_steps"]
    planted, missed = trial.planted(pgd)
    probes = {"eps": eps, "norm": norm, "seed": seed, "draws": trial.passes}
    apart = disagreement(subject.attacked, images, labels, **probes)  # type: ignore[arg-type]
    turned = (
        inconsistent(model, images, followed.images, randomised=subject.randomised)
        if subject.copied or not subject.randomised
        else {}
    )
    return Battery(
        tables=tables,
        by_eps=dict(sorted(by_eps.items())),
        by_steps=dict(sorted(by_steps.items())),
        at_half=replace(trial, norm="linf").run_anew("half", PGD, 0.5),
        unbounded=trial.run("unbounded", pgd, whole),
        largest_class=float(labels.bincount().max() / len(labels)),
        zero_gradients=_flags(without_gradient(subject.attacked, images, labels, trial.passes)),
        disagreement={scale: _flags(found) for scale, found in apart.items()},
        planted=planted,
        missed=missed,
        inconsistent={name: _flags(found) for name, found in turned.items()},
        path=[float(value) for value in followed.judge.history],
        exact_accuracy=_exact_accuracy(trial, pgd),
        rounds=subject.injected or any(part.baseline.jumps for _, part in baseline_layers(model)),
        copied=subject.copied,
    )


@dataclass(frozen=True)
class _Trial:
    """One network on one set of images."""

    subject: Subject
    images: Tensor
    labels: Tensor
    clean: Scores
    eps: float
    norm: Norm
    seed: int
    draws: int
    done: Done
    progress: Callable[[str], None]

    @property
    def passes(self) -> int:
        """Draws over which this network is averaged."""
        return self.draws if self.subject.randomised else 1

    def chosen(self, suite: dict[str, Ref]) -> dict[str, AttackChoice]:
        """The attacks of a suite that apply to the network."""
        return applicable(
            read_suite(suite, self.norm), injected=self.subject.injected,
            randomised=self.subject.randomised, samples=self.draws,
        )  # fmt: skip

    def attacked(
        self,
        name: str,
        attack: AttackChoice,
        radius: float | None = None,
        by: nn.Module | None = None,
    ) -> Attacked:
        """Attack by the network's own gradients, or by those of another."""
        eps = self.eps if radius is None else radius
        found = attack_batch(
            self.subject, self.images, self.labels, self.clean, attack, eps, seed=self.seed,
            name=name, index=0, draws=self.draws, source=by,
        )  # fmt: skip
        if by is None:
            self.done.keep(name, attack, eps, self.images, found.table, found.notes)
        self.progress(f"{name}: {told(pd.DataFrame(found.table), attack, eps)}")
        return found

    def run(
        self,
        name: str,
        attack: AttackChoice,
        radius: float | None = None,
        by: nn.Module | None = None,
    ) -> pd.DataFrame:
        """Examples of an attack, which may have been made before."""
        eps = self.eps if radius is None else radius
        known = self.done.find(name, attack, eps, self.images, self.labels, 0)
        if by is None and known is not None:
            return pd.DataFrame(known[0])
        return pd.DataFrame(self.attacked(name, attack, radius, by).table)

    def run_anew(self, name: str, ref: Ref, radius: float) -> pd.DataFrame:
        """Examples of an attack by its config, under the norm of this trial."""
        return self.run(name, self.chosen({name: ref})[name], radius)

    def planted(self, pgd: AttackChoice) -> tuple[Flags, Flags]:
        """See :func:`nenni.evaluation.binarisation.planted_and_missed`."""
        if self.subject.randomised:
            return np.zeros(len(self.images)), np.zeros(len(self.images))
        found = planted_and_missed(
            self.subject.attacked, self.images, eps=self.eps, norm=self.norm, attack=pgd,
            seed=self.seed,
        )  # fmt: skip
        return _flags(found[0]), _flags(found[1])


def _compared(
    trial: _Trial, pgd: AttackChoice, followed: pd.DataFrame, source: nn.Module | None
) -> dict[str, pd.DataFrame]:
    """The attacks that are compared image by image, all at the trial's eps."""
    tables = {"pgd_20": followed}
    for name, attack in trial.chosen(ATTACKS).items():
        if name not in tables:
            tables[name] = trial.run(name, attack)
    if source is not None:
        tables["transfer"] = trial.run("transfer", pgd, by=source)
    for factor in LOGITS:
        scaled = Scaled(trial.subject.attacked, factor)
        tables[f"logits_{factor:g}"] = trial.run("scaled logits", pgd, by=scaled)
    return tables


def _exact_accuracy(trial: _Trial, pgd: AttackChoice) -> float | None:
    """Robust accuracy of a defended network without its noise."""
    exact = without_noise(trial.subject.model)
    if exact is None:
        return None
    subject = replace(trial.subject, model=exact, attacked=exact, randomised=False)
    clean = score_clean(subject, trial.images, trial.labels, trial.draws, trial.seed, 0)
    off = replace(trial, subject=subject, clean=clean, done=Done())
    return float(robust_at_any(off.run("noise off", pgd)).mean())


class Scaled(nn.Module):
    """A classifier whose logits are multiplied by a number, which changes no prediction."""

    def __init__(self, model: nn.Module, factor: float) -> None:
        super().__init__()
        self.model, self.factor = model, factor
        self.training = getattr(model, "training", False)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled logits."""
        return self.factor * self.model(x)  # type: ignore[no-any-return]


def _flags(found: Tensor) -> Flags:
    flags: Flags = found.double().cpu().numpy()
    return flags
