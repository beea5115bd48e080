"""Suites of attacks by name, and which of their attacks a network and a norm allow."""

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from pydantic_core import PydanticCustomError

from nenni.adversary import attack_config
from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.suite_attacks import SUITES
from nenni.core import plugins, settings
from nenni.core.errors import UserError
from nenni.core.plugins import Ref
from nenni.core.types import Norm, OnRandomised


def read_suite(suite: str | Mapping[str, Ref], norm: Norm) -> dict[str, AttackChoice]:
    """The attacks of a suite that know a norm.

    Parameters
    ----------
    suite : str or mapping
        A name of :data:`nenni.adversary.suite_attacks.SUITES`, or attacks as a config has them.
    norm : "linf" or "l2"
        Given to the attacks that do not say theirs; those that cannot keep it are left out.

    Raises
    ------
    UserError
        If the suite is unknown, an attack of it malformed, or none is left.
    """
    if isinstance(suite, str):
        if suite not in SUITES:
            raise UserError(f"unknown suite '{suite}'; known are: {', '.join(SUITES)}")
        suite = SUITES[suite]
    found = {name: _read(name, config, norm) for name, config in suite.items()}
    kept = {name: attack for name, attack in found.items() if attack.norm == norm}
    if not kept:
        raise UserError(f"no attack of the suite keeps the norm {norm}")
    return kept


def applicable(
    attacks: Mapping[str, AttackChoice], *, injected: bool, randomised: bool, samples: int
) -> dict[str, AttackChoice]:
    """The attacks that a network allows, made to see past its randomness if it has any.

    Attacks on the paths of an injected network are left out for a plain one. For a randomised one
    the gradients that can be averaged are (EOT), and attacks get what they declare for it.

    Parameters
    ----------
    attacks : mapping
        From :func:`read_suite`.
    injected, randomised : bool
        What the network is.
    samples : int
        Passes over which a randomised network's gradient is averaged.
    """
    kept = {
        name: attack for name, attack in attacks.items() if injected or not attack.injected_only
    }
    if not randomised:
        return kept
    return {name: _expecting(attack, samples) for name, attack in kept.items()}


def _read(name: str, config: Ref, norm: Norm) -> AttackChoice:
    try:
        checked = attack_config.validate(config)
    except PydanticCustomError as error:
        listed = "; ".join(
            ".".join(map(str, (name, *where))) + f": {what}"
            for where, what in settings.problems_in(error)
        )
        raise UserError(f"suite: {listed}") from None
    known = settings.schema("attack", checked["name"]).model_fields["norm"].annotation
    if "norm" not in config and norm in get_args(known):
        checked["norm"] = norm
    return AttackChoice.from_config(checked)


def _expecting(attack: AttackChoice, samples: int) -> AttackChoice:
    asked = attack.arguments
    once = attack.surrogate is not None and attack.surrogate["name"] == attack_config.ONE_DRAW
    passes = () if once else plugins.annotated("attack", attack.name, "Passes")
    averaged = {name: max(samples, asked[name]) for name in passes}
    declared = plugins.marked("attack", attack.name, OnRandomised)
    return replace(attack, arguments={**asked, **averaged, **declared})
