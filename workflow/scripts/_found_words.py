"""Words of docs/found.md that hang on numbers or on a config."""

from typing import Any, Literal

import pandas as pd

from nenni.core import plugins
from nenni.core.plugins import Ref
from nenni.run.claim_arms import injection_of
from nenni.run.config import Config

Verdict = Literal["better", "worse", "cannot be told apart"]
APART: Verdict = "cannot be told apart"
NO_GRADIENT = ("square", "rays", "hopskipjump")
_NOISES = {
    "gaussian": "Gaussian noise of the same size in place of the error",
    "uniform": "uniform noise of the same size in place of the error",
    "zero": "zeros in place of the approximation",
}
_SELECTIONS = {
    "random": "as many neurons exact, chosen at random",
    "inverted": "noise into the essential neurons",
    "oracle": "neurons chosen by their exact values",
}
_BASELINES = {
    "gaussian": "Gaussian noise on all activations",
    "dropout": "random neurons zero",
    "two_of_four": "2:4 sparse weights",
    "pni": "PNI: learned noise",
    "learn2perturb": "Learn2Perturb: learned noise",
    "random_projection_filters": "random projection filters",
    "k_wta": "k-WTA",
}
_SURROGATES = {
    "soft_mask": "soft",
    "bpda": "past",
    "exact_path": "exact",
    "approximate_path": "approximate",
    "one_draw": "held",
}
WAYS = {
    "own": "the network's own gradient",
    "near": "gradients averaged over near inputs",
    "soft": "a soft mask in place of the jumps",
    "past": "the exact path's gradient, past mask and rounding",
    "exact": "the exact network in its place",
    "approximate": "the approximation alone in its place",
    "flip": "a loss that flips masks",
    "held": "the gradient of one draw that is held",
    "draws": "gradients averaged over draws",
    "none": "no gradient",
    "referee": "AutoAttack, several attacks in one",
}
"""How an attack goes about an injected network."""


def verdict(low: float, high: float) -> Verdict:
    """What an interval of a difference says of the first of two."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "cannot be told apart"


def points(row: Any) -> str:
    """A difference with its interval, in points: ``-14.4 (-23.3 to -5.5)``."""
    value, low, high = (100 * getattr(row, name) for name in ("difference", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def beside(row: Any, other: str) -> str:
    """A difference as the end of a sentence: ``is worse than OTHER: -14.4 points (..)``."""
    kinds = {
        "better": "is better than",
        "worse": "is worse than",
        "cannot be told apart": "cannot be told apart from",
    }
    return f"**{kinds[verdict(row.low, row.high)]}** {other}: {in_points(row)}"


def in_points(row: Any) -> str:
    """A difference with its interval and its unit: ``-14.4 points (-23.3 to -5.5)``."""
    value, _, interval = points(row).partition(" ")
    return f"{value} points {interval}"


def beyond(left: float, other: float) -> str:
    """How many more images an attack breaks that leaves `other`: ``1.2 points more``."""
    gap = round(100 * (left - other), 1)
    return "no more" if gap == 0 else f"{abs(gap):.1f} points {'more' if gap > 0 else 'less'}"


def stands_for(config: Config, defence: str) -> str:
    """What a defence is as a control, in words."""
    asked = config.defences[defence]
    if asked.without_noise is not None:
        return f"{stands_for(config, asked.without_noise)}, its noise switched off"
    if asked.baseline is not None:
        name: str = asked.baseline["name"]
        if name == "quantised":
            return f"plain quantisation to INT{asked.baseline['bits']}"
        return _BASELINES.get(name, name)
    if asked.injection is None:
        return "no noise, the same training" if asked.finetune else "no noise, the base as it is"
    selection = asked.injection["selection"]["name"]
    noise = asked.injection.get("noise", config.injection["noise"])["name"]
    known = _SELECTIONS.get(selection) or _NOISES.get(noise)
    return known or "another setting of the method"


def draws(config: Config, defence: str) -> bool:
    """Whether a defence draws anew in each pass."""
    asked = config.defences[defence]
    if asked.baseline is not None:
        chosen = [("baseline", asked.baseline)]
    elif asked.injection is not None:
        whole = injection_of(config, defence)
        chosen = [(kind, whole[kind]) for kind in ("selection", "noise")]
    else:
        chosen = []
    return any(
        plugins.constant(kind, plugin["name"], "randomised", otherwise=False)
        for kind, plugin in chosen
    )


def way(attack: Ref) -> str:
    """Key of :data:`WAYS` of an attack of a config."""
    if surrogate := attack.get("surrogate"):
        return _SURROGATES.get(surrogate["name"], "own")
    if attack["name"] == "autoattack":
        return "referee"
    if attack["name"] == "mask_flip":
        return "flip"
    if attack["name"] in NO_GRADIENT:
        return "none"
    if attack.get("sigma", 0) > 0:
        return "near"
    return "draws" if attack.get("samples", 1) > 1 else "own"


def sorted_by(rows: pd.DataFrame) -> dict[Verdict, str]:
    """The controls of each verdict."""
    found = [(verdict(row.low, row.high), f"`{row.control}`") for row in rows.itertuples()]
    kinds: tuple[Verdict, ...] = ("better", "worse", APART)
    return {kind: ", ".join(name for of, name in found if of == kind) for kind in kinds}
