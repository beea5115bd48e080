"""Is the robustness real, or are the gradients masked? Checks on one network, and a verdict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import pandas as pd
from torch import nn

from nenni.core import radius
from nenni.core.types import Norm
from nenni.data.batches import Data, all_labelled, device_of
from nenni.evaluation.battery import Battery, run_battery
from nenni.evaluation.battery_attacks import ADAPTIVE, WHITE_BOX
from nenni.evaluation.scoring import ALL_CHECKS

Kind = Literal["masked", "weak", "note"]
TRUSTWORTHY = "trustworthy"
MASKED = "gradients look masked"
WEAK = "the attack is too weak, believe the least over stronger ones"
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Diagnosis:
    """What the checks found.

    Attributes
    ----------
    rows : DataFrame
        One per check: ``name``, ``value``, ``threshold`` (the largest value that passes),
        ``verdict`` ("pass", "fail", or "note" where a failure decides nothing) and ``meaning``; the
        last counts the failures.
    curves : DataFrame
        Columns ``curve`` ("eps", "steps" or "path"), ``x`` and ``y``: accuracy against eps and
        against the number of steps, mean loss after each step of one run.
    verdict : str
        "trustworthy", that gradients look masked, or that PGD is too weak; and by which checks.
    """

    rows: pd.DataFrame
    curves: pd.DataFrame
    verdict: str


@dataclass(frozen=True)
class Check:
    """One question to the battery.

    Parameters
    ----------
    meaning : str
        What a failure would mean.
    value : callable
        Battery -> a number, the larger the worse; None where the check does not apply.
    threshold : callable
        Battery -> the largest value that passes.
    kind : "masked", "weak" or "note"
        What a failure says: gradients are masked, PGD is not strong enough, or neither.
    """

    meaning: str
    value: Callable[[Battery], float | None]
    threshold: Callable[[Battery], float]
    kind: Kind = "masked"


def diagnose(
    model: nn.Module,
    data: Data,
    *,
    eps: float = 8 / 255,
    norm: Norm = "linf",
    source: nn.Module | None = None,
    examples: int | None = None,
    draws: int = 10,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Run the checks for masked gradients, all on the same images.

    After Athalye, Carlini, Wagner: Obfuscated gradients give a false sense of security, ICML 2018,
    section 3.1, and Carlini et al.: On evaluating adversarial robustness, 2019, section 5.

    Parameters
    ----------
    model : Module
        A classifier in eval mode that gives logits.
    data : tensors, loader or data set
        Images (N, C, H, W) in [0, 1] and labels (N,), see :data:`nenni.data.batches.Data`, all of
        which are attacked at once; 200 or more tell more.
    eps : float
        Radius in units of the [0, 1] input.
    norm : "linf" or "l2"
        What it bounds.
    source : Module or None
        An independently trained network for the check of transfer.
    examples : int or None
        Only the first so many images.
    draws : int
        Passes over which a randomised model's gradients are averaged, and on which it is judged.
    seed : int
        Root of the random choices.
    progress : callable
        Receives one line per attack.

    Raises
    ------
    UserError
        If model and data do not go together, the model gives no gradient, or eps is no radius.
    """
    radius.check(eps, norm)
    images, labels = all_labelled(data, device_of(model), examples)
    battery = run_battery(
        model, images, labels, eps=eps, norm=norm, source=source, seed=seed, draws=draws,
        progress=progress,
    )  # fmt: skip
    return judge(battery)


def judge(battery: Battery) -> Diagnosis:
    """Put every check to a battery."""
    rows: list[dict[str, object]] = []
    failed: dict[Kind, list[str]] = {"masked": [], "weak": [], "note": []}
    for name, check in CHECKS.items():
        value = check.value(battery)
        if value is None:
            continue
        threshold = check.threshold(battery)
        passed = value <= threshold + _ROUNDING
        if not passed:
            failed[check.kind].append(name)
        rows.append(
            {
                "name": name,
                "value": value,
                "threshold": threshold,
                "verdict": "pass" if passed else "note" if check.kind == "note" else "fail",
                "meaning": check.meaning,
            }
        )
    verdict = _verdict(failed)
    count = len(failed["masked"]) + len(failed["weak"])
    rows.append(
        {
            "name": ALL_CHECKS,
            "value": count,
            "threshold": 0,
            "verdict": "fail" if count else "pass",
            "meaning": verdict,
        }
    )
    return Diagnosis(pd.DataFrame(rows), battery.curves(), verdict)


def _verdict(failed: Mapping[Kind, list[str]]) -> str:
    if failed["masked"]:
        return f"{MASKED}: {', '.join(failed['masked'] + failed['weak'])}"
    return f"{WEAK}: {', '.join(failed['weak'])}" if failed["weak"] else TRUSTWORTHY


def _point(battery: Battery) -> float:
    """One point, or two images where there are fewer than 200."""
    return max(0.01, 2 / battery.n)


def _gain(*names: str) -> Callable[[Battery], float | None]:
    """How much lower the accuracy is under the best of these attacks than under PGD."""

    def value(b: Battery) -> float | None:
        ran = [b.accuracy[name] for name in names if name in b.accuracy]
        return b.accuracy["pgd"] - min(ran) if ran else None

    return value


def _largest_rise(by: Mapping[float, float]) -> float:
    values = [by[x] for x in sorted(by)]
    return max((b - a for a, b in pairwise(values)), default=0.0)


CHECKS: dict[str, Check] = {
    "accuracy falls with eps": Check(
        "a larger ball holds every smaller one; accuracy that rises is the attack's failure",
        lambda b: _largest_rise(b.by_eps),
        _point,
    ),
    "chance at eps 0.5": Check(
        "any image can be grey within 0.5: accuracy above chance is the attack's failure",
        lambda b: b.at_half,
        lambda b: b.largest_class + _point(b),
    ),
    "accuracy reaches 0": Check(
        "with no bound on the perturbation a working attack always succeeds",
        lambda b: b.unbounded,
        _point,
    ),
    "one step is weaker": Check(
        "FGSM better than PGD means that iterations lose their way",
        lambda b: b.accuracy["pgd"] - b.accuracy["fgsm"],
        _point,
    ),
    "random noise is weaker": Check(
        "random points better than the gradient mean that the gradient is useless",
        lambda b: b.accuracy["pgd"] - b.accuracy["random_noise"],
        lambda b: 0.0,
    ),
    "twice the steps": Check(
        "PGD that gains from twice the steps had not converged",
        _gain("twice_steps"),
        _point,
        "weak",
    ),
    "more restarts": Check(
        "PGD that gains from restarts is stuck at its starting point",
        _gain("restarts"),
        _point,
        "weak",
    ),
    "black box": Check(
        "an attack without gradients that breaks more means that the gradients mislead",
        lambda b: b.adds(["square"], WHITE_BOX),
        _point,
    ),
    "transfer": Check(
        "images made for another network that break more mean that the gradients mislead",
        lambda b: b.adds(["transfer"], WHITE_BOX),
        _point,
    ),
    "adaptive attacks": Check(
        "smoothed gradients, or those of another path, break what the network's own do not",
        lambda b: b.adds(ADAPTIVE, WHITE_BOX),
        _point,
    ),
    "near the least": Check(
        "accuracy under PGD far above the least over all attacks: its gradients mislead",
        lambda b: b.accuracy["pgd"] - float(b.least(b.flags).mean()),
        lambda b: max(0.1, _point(b)),
    ),
    "zero gradients": Check(
        "an image whose gradient is exactly zero cannot be attacked by it",
        lambda b: b.zero_gradients,
        _point,
    ),
    "losses agree": Check(
        "margin or DLR that break more than cross entropy mean that this saturates",
        _gain("margin", "dlr"),
        lambda b: 3 * _point(b),
    ),
    "scale of logits": Check(
        "logits times 0.1 or 10 that break more mean that the loss saturates or is flat",
        _gain("logits_0.1", "logits_10"),
        lambda b: 3 * _point(b),
    ),
    "silent success": Check(
        "images misclassified on the way but not at the end: the last iterate is not the best",
        lambda b: b.silent,
        _point,
        "weak",
    ),
    "loss has settled": Check(
        "a loss that still rises in the last steps means that more steps would break more",
        lambda b: b.late_rise,
        lambda b: 0.05,
        "weak",
    ),
    "noise switched off": Check(
        "robust accuracy that goes away with the noise was the noise's, not the network's",
        lambda b: b.noise_gain,
        _point,
        "note",
    ),
}
"""Name -> check, in the order in which they are shown."""
