"""What is tried as a repair: injections, attacks to train on, and masks that begin soft."""

from dataclasses import dataclass, field
from typing import Any

from _found_tables import CONTROL

from nenni.adversary.attack_choice import AttackChoice
from nenni.core.settings import validate

_LOSS = {"loss": "pm", "steps": 10}
ATTACKS: dict[str, dict[str, Any]] = {
    "margin, any iterate": {"name": "apgd", **_LOSS},
    "margin through a soft mask": {"name": "apgd", **_LOSS, "surrogate": {"name": "soft_mask"}},
    "margin by BPDA": {"name": "apgd", **_LOSS, "surrogate": {"name": "bpda"}},
}
"""What a network may be trained on in place of its base's attack: APGD gives the best iterate."""
MARGIN = "margin, any iterate"


@dataclass(frozen=True)
class Setting:
    """What is tried.

    Attributes
    ----------
    injection
        Changes to the config's injection; None for none at all.
    attack
        One of :data:`ATTACKS`, or None for that of the base.
    annealed
        Whether masks begin soft.
    """

    injection: dict[str, Any] | None = field(default_factory=dict)
    attack: str | None = None
    annealed: bool = False

    @property
    def training(self) -> str:
        """What it is trained on, in words."""
        return (self.attack or "as its base") + (", masks soft to hard" if self.annealed else "")


def topk(fraction: float) -> dict[str, Any]:
    """The largest by z~."""
    return {"selection": {"name": "topk", "fraction": fraction}}


def threshold(fraction: float) -> dict[str, Any]:
    """Those beyond a threshold of the layer."""
    return {"selection": {"name": "threshold", "fraction": fraction}}


_BITS = {f"{which}_bits": 8 for which in ("weight", "input", "projected")}
_EIGHTH = {"projection": {"name": "sparse", "ratio": 0.125}}
_CHEAP = {"projection": {"name": "tap_shared", "ratio": 0.25}}
SETTINGS: dict[str, Setting] = {
    CONTROL: Setting(injection=None),
    f"{CONTROL}_margin": Setting(injection=None, attack=MARGIN),
    "as_it_is": Setting(),
    "margin": Setting(attack=MARGIN),
    "soft_mask": Setting(attack="margin through a soft mask"),
    "bpda": Setting(attack="margin by BPDA"),
    "annealed": Setting(annealed=True),
    "annealed_margin": Setting(attack=MARGIN, annealed=True),
    "threshold_margin": Setting(threshold(0.5), MARGIN),
    "bits_8_margin": Setting(_BITS, MARGIN),
    "ratio_1_8_margin": Setting(_EIGHTH, MARGIN),
    "cheap_margin": Setting(_CHEAP | topk(0.4), MARGIN),
    "cheap_threshold_margin": Setting(_CHEAP | threshold(0.4), MARGIN),
    "cheap_annealed_margin": Setting(_CHEAP | topk(0.4), MARGIN, annealed=True),
    "quarter_margin": Setting(_CHEAP | topk(0.25), MARGIN),
}
"""The last four save 40 % of the BitOPs or more, INT8 to INT8."""


def attack_of(config: dict[str, Any]) -> AttackChoice:
    """An attack as a config would have it."""
    rest = {key: value for key, value in config.items() if key != "surrogate"}
    checked = validate("attack", rest)
    if "surrogate" in config:
        checked["surrogate"] = validate("surrogate", config["surrogate"])
    return AttackChoice.from_config(checked)
