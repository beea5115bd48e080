"""The questions of the diagnostics: what each counts, how much of it is too much, what it means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nenni.evaluation.battery import Battery, Flags
from nenni.evaluation.battery_attacks import ADAPTIVE, BLACK_BOX, UNTARGETED, WHITE_BOX
from nenni.evaluation.scoring import robust, robust_at_any

Kind = Literal["masked", "weak", "note"]
_FEW, _SOME, _MANY = 0.02, 0.05, 0.1


@dataclass(frozen=True)
class Check:
    """One question to the battery.

    Parameters
    ----------
    meaning : str
        What a failure would mean.
    bad : callable
        Battery -> one number per image, from 0 to 1, above 0 where it speaks against the network;
        None where the check does not apply.
    threshold : callable
        Battery -> the largest share of such images that is no fault.
    kind : "masked", "weak" or "note"
        What a failure says: numbers cannot be believed, PGD is not strong enough, or neither.
    """

    meaning: str
    bad: Callable[[Battery], Flags | None]
    threshold: Callable[[Battery], float] = lambda _: _FEW
    kind: Kind = "masked"


def _adds(*names: str, to: tuple[str, ...] = ("pgd_20",)) -> Callable[[Battery], Flags | None]:
    return lambda b: b.adds(names, to)


def _rises(b: Battery) -> Flags:
    """Robust at some eps and broken at a smaller one."""
    flags = np.stack([robust_at_any(b.by_eps[eps]).to_numpy() for eps in sorted(b.by_eps)])
    below = np.minimum.accumulate(flags, axis=0)
    risen: Flags = (flags[1:] - below[:-1]).max(0).clip(0)
    return risen


def _gradient_is_off(b: Battery) -> Flags:
    """At the scale where gradient and function agree best."""
    return min(b.disagreement.values(), key=lambda flags: float(flags.mean()))


def _silent(b: Battery) -> Flags:
    table = b.tables["pgd_20"]
    silent: Flags = (robust(table) - robust_at_any(table)).to_numpy().clip(0)
    return silent


def _elsewhere(b: Battery) -> Flags | None:
    """Answered otherwise in another batch or order."""
    if "batch" not in b.inconsistent:
        return None
    return np.maximum(b.inconsistent["batch"], b.inconsistent["order"])


CHECKS: dict[str, Check] = {
    "memory": Check(
        "answers that depend on what was asked before are no classifier's",
        lambda b: b.inconsistent.get("memory"),
        lambda _: _SOME,
    ),
    "batch and order": Check(
        "an image that is answered otherwise among others is judged by its neighbours",
        lambda b: None if b.rounds else _elsewhere(b),
        lambda _: _SOME,
    ),
    "gradient and function": Check(
        "a gradient that is not the slope of the function leads attacks astray",
        lambda b: None if b.rounds else _gradient_is_off(b),
        lambda _: _MANY,
    ),
    "zero gradients": Check(
        "an image whose gradient is exactly zero cannot be attacked by it",
        lambda b: b.zero_gradients,
    ),
    "planted points": Check(
        "misclassified points that were put there on purpose, and that the attack does not find",
        lambda b: b.missed[b.planted > 0] if b.planted.any() else None,
        lambda _: _SOME,
    ),
    "accuracy falls with eps": Check(
        "a larger ball holds every smaller one: what survives there only by the attack's failure",
        _rises,
    ),
    "chance at eps 0.5": Check(
        "any image can be grey within 0.5: accuracy above chance is the attack's failure",
        lambda b: robust_at_any(b.at_half).to_numpy(),
        lambda b: b.largest_class + _FEW,
    ),
    "accuracy reaches 0": Check(
        "with no bound on the perturbation a working attack always succeeds",
        lambda b: robust_at_any(b.unbounded).to_numpy(),
    ),
    "one step is weaker": Check(
        "FGSM breaks what PGD does not: iterations lose their way", _adds("fgsm")
    ),
    "random noise is weaker": Check(
        "random points break what the gradient does not: the gradient is useless",
        _adds("random_noise"),
    ),
    "black box": Check(
        "attacks without gradients break what those with them do not: the gradients mislead",
        _adds(*BLACK_BOX, to=(*WHITE_BOX,)),
    ),
    "transfer": Check(
        "images made for another network break what the own gradients do not: these mislead",
        _adds("transfer", to=(*WHITE_BOX,)),
    ),
    "adaptive attacks": Check(
        "smoothed gradients, or those of another path, break what the network's own do not",
        _adds(*ADAPTIVE, to=(*WHITE_BOX,)),
    ),
    "every class": Check(
        "attacks towards each class break what those away from the label do not: a decoy is near",
        _adds("apgd_targeted", to=(*UNTARGETED,)),
        lambda _: _SOME,
    ),
    "losses agree": Check(
        "margin or DLR break what cross entropy does not: this saturates",
        _adds("margin", "dlr"),
        lambda _: _SOME,
    ),
    "scale of logits": Check(
        "logits times 0.1 or 10 break what they do not as they are: the loss saturates or is flat",
        _adds("logits_0.1", "logits_10"),
        lambda _: _SOME,
    ),
    "near the least": Check(
        "accuracy under PGD-20 far above the least over all attacks: its gradients mislead",
        lambda b: (robust(b.tables["pgd_20"]).to_numpy() - b.least(b.tables)).clip(0),
        lambda _: _MANY,
    ),
    "twice the steps": Check(
        "PGD that gains from twice the steps had not converged",
        _adds("twice_steps"),
        kind="weak",
    ),
    "more restarts": Check(
        "PGD that gains from restarts is stuck at its starting point",
        _adds("restarts"),
        kind="weak",
    ),
    "silent success": Check(
        "images misclassified on the way but not at the end: the last iterate is not the best",
        _silent,
        kind="weak",
    ),
    "batch and rounding": Check(
        "hard masks decided by the last digits of sums, which change with the batch",
        lambda b: _elsewhere(b) if b.rounds else None,
        lambda _: _SOME,
        kind="note",
    ),
    "gradient and rounding": Check(
        "a network that rounds or chooses by hard masks: its gradient is that of no small step",
        lambda b: _gradient_is_off(b) if b.rounds else None,
        lambda _: _MANY,
        kind="note",
    ),
}
"""Name -> check, in the order in which they are shown."""
