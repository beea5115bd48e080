"""Is the robustness real, or are the gradients masked? Checks on one network, and a verdict."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import binomtest
from torch import nn

from nenni.core import radius
from nenni.core.errors import UserError
from nenni.core.types import Norm
from nenni.data.batches import Data, all_labelled, device_of
from nenni.data.checks import check_count, check_data
from nenni.evaluation.battery import Battery, run_battery
from nenni.evaluation.checks import CHECKS, Kind
from nenni.evaluation.done import Done
from nenni.evaluation.resume import key_of
from nenni.evaluation.scoring import ALL_CHECKS
from nenni.evaluation.subject import UNSTEADY, Subject, Unsteady, at_random, examine
from nenni.networks.copying import uncompiled

TRUSTWORTHY = "trustworthy"
MASKED = "not to be believed"
WEAK = "PGD-20 is too weak, believe the least over stronger attacks"
UNDECIDED = "undecided"
UNSEEN = (
    "what it remembers could not be seen, as it cannot be copied or draws from a source of its own"
)
_ENOUGH = 20
"""Images; of fewer hardly any check can fail."""
_LEVEL = 0.05
"""Chance, at most, that any check of a network without fault fails."""
_SETTLED = 0.05
"""Share of the loss's rise that the last tenth of the steps may make."""
_WORDS = {"pass": "pass", "fail": "fail", "few": "too few images", "note": "note"}


@dataclass(frozen=True)
class Diagnosis:
    """What the checks found.

    Attributes
    ----------
    rows : DataFrame
        One per check: ``name``, ``value``, the share of images that speak against the network,
        ``threshold``, the share that is no fault, ``p``, how likely so many are where the share is
        no larger (corrected for the number of checks), ``verdict`` ("pass", "fail", "too few
        images", or "note" where a failure decides nothing) and ``meaning``; the last counts the
        failures.
    curves : DataFrame
        Columns ``curve`` ("eps", "steps" or "path"), ``x`` and ``y``: accuracy against eps and
        against the number of steps, mean margin before each step of one run.
    verdict : str
        "trustworthy", or in a sentence what speaks against it most.
    done : Done
        The attacks that were made.
    """

    rows: pd.DataFrame
    curves: pd.DataFrame
    verdict: str
    done: Done


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
    done: Done | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Check whether attacks on a network can be believed, all on the same images.

    After Athalye, Carlini, Wagner: Obfuscated gradients give a false sense of security, ICML 2018,
    section 3.1, and Carlini et al.: On evaluating adversarial robustness, 2019, section 5; with
    finite differences beside the gradient, and the binarisation test of Zimmermann et al. (NeurIPS
    2022). A check fails where the one-sided 95 % bound (Clopper, Pearson, Biometrika 1934) of the
    share of images that speak against the network exceeds its threshold, over all checks together
    (Holm, Scandinavian Journal of Statistics 1979).

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
    done : Done or None
        What :func:`nenni.evaluate` found of the same network with the same seed and draws, its
        ``done``: those attacks are not made again, but PGD-20, whose path is looked at.
    progress : callable
        Receives one line per attack.

    Raises
    ------
    UserError
        If model and data do not go together, the model gives no gradient, eps is no radius above 0,
        or a number of images or draws is none.
    """
    eps, model = radius.check(eps, norm), uncompiled(model)
    check_count("draws", draws)
    if eps == 0:
        raise UserError("a ball of eps 0 holds the image alone: there is nothing to diagnose")
    images, labels = all_labelled(data, device_of(model), examples)
    check_data(images, labels, None)
    subject = examine(model, images, eps=eps, norm=norm)
    check_data(images, labels, subject.classes)

    def found(subject: Subject) -> Diagnosis:
        work = [seed, draws, subject.randomised]
        kept = (done or Done()).for_work(key_of([model], images[:1], work))
        battery = run_battery(
            subject, model, images, labels, eps=eps, norm=norm, source=source, seed=seed,
            draws=draws, done=kept, progress=progress,
        )  # fmt: skip
        rows, verdict = judge(battery)
        return Diagnosis(rows, battery.curves(), verdict, kept)

    try:
        return found(subject)
    except Unsteady:
        progress(UNSTEADY)
        return found(at_random(subject, model))


def judge(battery: Battery) -> tuple[pd.DataFrame, str]:
    """Put every check to a battery: the rows, and the verdict."""
    asked = {name: check.bad(battery) for name, check in CHECKS.items()}
    found = {name: bad for name, bad in asked.items() if bad is not None}
    thresholds = {name: CHECKS[name].threshold(battery) for name in found}
    counts = {name: math.floor(float(bad.sum()) + 1e-9) for name, bad in found.items()}
    tests = {
        name: binomtest(counts[name], len(bad), min(1.0, thresholds[name]), "greater").pvalue
        for name, bad in found.items()
    }
    adjusted = dict(zip(tests, holm([*tests.values()]), strict=True))
    rows = []
    for name, bad in found.items():
        share, kind = float(bad.mean()), CHECKS[name].kind
        failed = adjusted[name] < _LEVEL
        over = share > thresholds[name]
        verdict = "fail" if failed else "few" if over else "pass"
        verdict = "note" if kind == "note" and over else verdict
        rows.append(
            {
                "name": name,
                "value": share,
                "threshold": thresholds[name],
                "p": adjusted[name],
                "verdict": _WORDS[verdict],
                "meaning": CHECKS[name].meaning,
            }
        )
    rows += _scalars(battery)
    table = pd.DataFrame(rows)
    verdict = _verdict(table, battery)
    failures = int((table["verdict"] == "fail").sum())
    table.loc[len(table)] = {
        "name": ALL_CHECKS, "value": failures, "threshold": 0, "p": math.nan,
        "verdict": "fail" if failures else "pass", "meaning": verdict,
    }  # fmt: skip
    return table, verdict


def holm(values: Sequence[float]) -> list[float]:
    """P values, each corrected for being one of several (Holm, 1979)."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    found, largest = [0.0] * len(values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, values[i] * (len(values) - rank)))
        found[i] = largest
    return found


def _scalars(battery: Battery) -> list[dict[str, object]]:
    """What is no share of images, and decides less."""
    rows: list[dict[str, object]] = [
        {
            "name": "loss has settled",
            "value": battery.late_rise,
            "threshold": _SETTLED,
            "p": math.nan,
            "verdict": "pass" if battery.late_rise <= _SETTLED else "note",
            "meaning": "a loss that still rises in the last steps: more steps would break more",
        }
    ]
    if battery.noise_gain is not None:
        rows.append(
            {
                "name": "noise switched off",
                "value": battery.noise_gain,
                "threshold": 0.01,
                "p": math.nan,
                "verdict": "pass" if battery.noise_gain <= 0.01 else "note",
                "meaning": "robust accuracy that goes away with the noise was the noise's",
            }
        )
    return rows


def _verdict(rows: pd.DataFrame, battery: Battery) -> str:
    """What speaks against the network most, in a sentence."""
    kinds: dict[str, Kind] = {name: check.kind for name, check in CHECKS.items()}
    of_kind = rows["name"].map(kinds)
    for kind, words in (("masked", MASKED), ("weak", WEAK)):
        failed = rows[(rows["verdict"] == "fail") & (of_kind == kind)]
        if len(failed):
            return f"{words}: {_strongest(failed)}"
    few = rows[(rows["verdict"] == _WORDS["few"]) & (of_kind == "masked")]
    if len(few):
        return f"{UNDECIDED}, too few images (n = {battery.n}): {_strongest(few)}"
    if battery.n < _ENOUGH:
        return f"{UNDECIDED}, too few images (n = {battery.n}): hardly any check could fail"
    return TRUSTWORTHY if battery.copied else f"{UNDECIDED}: {UNSEEN}"


def _strongest(rows: pd.DataFrame) -> str:
    """The check that exceeds its threshold by most, and the names of the others."""
    ordered = rows.assign(excess=rows["value"] - rows["threshold"]).sort_values(
        "excess", ascending=False, kind="stable"
    )
    first, *others = ordered.to_dict("records")
    more = f" (also {', '.join(str(row['name']) for row in others)})" if others else ""
    return f"{first['meaning']}, {first['value']:.0%} of the images{more}"
