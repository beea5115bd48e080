"""Where the numbers of each claim stand in a run: its arms, what they are compared with, by what.

Known before any job starts, from the config alone; what a run lacks is named.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from nenni.core import radius
from nenni.core.plugins import Ref
from nenni.core.types import Norm
from nenni.run.claim_arms import (
    arms_of,
    controls_of,
    exact_bits,
    exact_share,
    injection_of,
    is_own,
    lacking_arms,
    lacking_control,
    told,
    trained_longer,
)
from nenni.run.claims_config import Against, Claim, Claims
from nenni.run.config import Config, Evaluation
from nenni.run.experiment import Experiment, all_evaluations, seeds_of

_BITS = {"fp32": 32, "fp16": 16, "int8": 8}
_ALONE = {
    "same_training": "the same training without the method",
    "base": "the base as it is",
    "last_epoch": "the last epoch of the same training",
    "best_epoch": "the best epoch of the same training",
    "baselines": "other adversarial training",
}
"""What an arm was to be compared with, where the run has none."""


@dataclass(frozen=True)
class Trial:
    """One row of the table of claims, before it is measured.

    Attributes
    ----------
    claim, comparator
        Name of the claim, and what its arm is compared with, in words.
    base, defence
        The arm; empty where the run has none.
    control_base, control
        The other; empty for BitOPs.
    evaluation, norm, eps
        Rows of the table of paired comparisons; eps in units of the input, 0 and no norm for clean
        images.
    baseline, overheads
        Of BitOPs: a dense network, and whether projection and selection are counted.
    limit
        Share of the baseline's BitOPs that could go at most, were the approximation free.
    differs
        How the arm differs from what the claim is about, beside its base.
    missing
        What the run lacks to test the claim, in words; empty if it lacks nothing.
    """

    claim: str
    comparator: str = ""
    base: str = ""
    defence: str = ""
    control_base: str = ""
    control: str = ""
    evaluation: str = ""
    norm: str = ""
    eps: float = 0.0
    baseline: str = ""
    overheads: bool = False
    limit: float = 1.0
    differs: str = ""
    missing: str = ""


def trials(claims: Claims, config: Config) -> list[Trial]:
    """All rows of the table, in the order of the claims, their comparators and arms."""
    return [row for name, claim in claims.claims.items() for row in _of_claim(name, claim, config)]


def compared(rows: list[Trial], config: Config) -> list[list[str]]:
    """Pairs that a run compares: base and defence, base and control.

    Each defence with the controls of the main table and with its own on its base, and what the
    claims ask for.
    """
    tables = config.tables
    listed = [
        (base, defence, base, control)
        for base, defences in config.experiments.items()
        for defence in defences
        for control in (*tables.compare_with, *tables.controls.get(defence, []))
        if control != defence and control in defences
    ]
    claimed = [(t.base, t.defence, t.control_base, t.control) for t in rows if t.control]
    return [[*pair] for pair in dict.fromkeys([*listed, *claimed])]


def _of_claim(name: str, claim: Claim, config: Config) -> Iterator[Trial]:
    homes = [
        Trial(name, base=base, defence=defence, differs=arm.differs or "")
        for base, defence, arm in arms_of(claim, config)
    ]
    nothing = Trial(name, missing=lacking_arms(claim))
    for against in claim.against or ():
        if not homes:
            yield replace(nothing, comparator=_ALONE[against])
        for home in homes:
            yield from _compared(claim, config, against, home)
    for bits in claim.bits or ():
        if not homes:
            yield replace(nothing, comparator=f"dense {bits.upper()}")
        for home in homes:
            yield from _counted(config, bits, home)


def _compared(claim: Claim, config: Config, against: Against, home: Trial) -> Iterator[Trial]:
    controls = controls_of(against, config, home.base, home.defence)
    if not controls:
        missing = lacking_control(against, config, home.base, home.defence)
        yield replace(home, comparator=_ALONE[against], missing=missing)
    for words, base, control in controls:
        differs = "; ".join(filter(None, [home.differs, trained_longer(config, home.base, base)]))
        both = replace(home, comparator=words, control_base=base, control=control, differs=differs)
        eps = _radius(claim, config, home.base)
        pair = ((home.base, home.defence), (base, control))
        found = None if eps is None else _evaluation(config, pair, claim.attack, eps)
        if found is None:
            yield replace(both, missing=_lacking(claim, both, eps))
        else:
            evaluation, read_at = found
            norm = _norm(claim)
            at = radius.from_config(read_at, norm)
            yield replace(both, evaluation=evaluation, eps=at, norm=norm if at else "")


def _radius(claim: Claim, config: Config, base: str) -> float | None:
    """Radius at which a claim is tested, in a config's units; None if the run has none."""
    if claim.eps is None:
        return 0.0
    if is_own(claim, config, base):
        return claim.eps
    main = next(iter(config.tables.columns.values()))
    norm = config.attacks[config.evaluations[main].attack]["norm"]
    return config.tables.eps[base] * claim.of_main if norm == _norm(claim) else None


def _norm(claim: Claim) -> Norm:
    norm: Norm = "linf" if claim.attack is None else claim.attack["norm"]
    return norm


def _evaluation(
    config: Config, pair: tuple[tuple[str, str], ...], attack: Ref | None, eps: float
) -> tuple[str, float] | None:
    """The evaluation of a pair with most seeds that both have, then images, and its radius.

    Of a suite's attack too; without an attack any evaluation, for its clean images.
    """
    best: tuple[tuple[int, int], str, float] | None = None
    for name, evaluation in all_evaluations(config).items():
        if attack is not None and not _attacks_by(attack, evaluation, config):
            continue
        read_at = 0.0 if attack is None else _shared_radius(evaluation, pair, eps)
        shared = set.intersection(*(_seeds(config, evaluation, base, d) for base, d in pair))
        if read_at is None or not shared:
            continue
        size = (len(shared), evaluation.examples)
        if best is None or size > best[0]:
            best = (size, name, read_at)
    return None if best is None else best[1:]


def _shared_radius(
    evaluation: Evaluation, pair: tuple[tuple[str, str], ...], eps: float
) -> float | None:
    """The radius that an evaluation has for both bases, which may be written in another way."""
    first, second = (evaluation.eps.get(base, []) for base, _ in pair)
    return next((e for e in first if e in second and math.isclose(e, eps, rel_tol=1e-6)), None)


def _seeds(config: Config, evaluation: Evaluation, base: str, defence: str) -> set[int]:
    """The seeds of a defence that an evaluation is about."""
    here = (Experiment(base, defence, seed) for seed in seeds_of(config, base, defence))
    return {experiment.seed for experiment in here if experiment.covered_by(evaluation)}


def _attacks_by(attack: Ref, evaluation: Evaluation, config: Config) -> bool:
    """Whether an evaluation makes an attack, by the gradients of the network that it judges."""
    own = evaluation.source is None
    return own and _alike(config.attacks[evaluation.attack]) == _alike(attack)


def _alike(attack: Ref) -> Ref:
    """An attack without what changes no result."""
    return {key: value for key, value in attack.items() if key != "compile"}


def _lacking(claim: Claim, pair: Trial, eps: float | None) -> str:
    both = f"both {pair.base}/{pair.defence} and {pair.control_base}/{pair.control}"
    if claim.attack is None:
        return f"an evaluation of {both}"
    norm, steps = _norm(claim), {key: v for key, v in claim.attack.items() if key == "steps"}
    attack = told(claim.attack, steps)
    if eps is None:
        return f"an evaluation that attacks {both} by {attack} at an {norm} radius"
    shown = radius.shown(radius.from_config(eps, norm), norm)
    return f"an evaluation that attacks {both} by {attack} at eps {shown}"


def _counted(config: Config, bits: str, home: Trial) -> Iterator[Trial]:
    injection = injection_of(config, home.defence)
    exact = exact_share(injection["selection"]) * (exact_bits(injection) / _BITS[bits]) ** 2
    for overheads in (True, False):
        words = f"dense {bits.upper()}, overheads {'counted' if overheads else 'left out'}"
        yield replace(home, comparator=words, baseline=bits, overheads=overheads, limit=1 - exact)
