"""What a well-formed ``claims.yaml`` may still get wrong."""

from collections.abc import Iterator

from nenni.run.claims_config import Claim, Claims
from nenni.run.problems import Problem, unknown

_NEEDED = {
    "robust_gain": {"value", "attack", "eps", "against"},
    "robust_loss": {"attack", "eps", "against"},
    "clean_kept": {"margin", "against"},
    "clean_loss": {"value", "against"},
    "bitops_reduction": {"value", "bits"},
}
"""Measure -> keys without which it cannot be judged."""
_ALLOWED = {"robust_loss": {"value"}}
_OF_MEASURES = ("value", "margin", "attack", "eps", "against", "bits")


def claims_contradictions(claims: Claims) -> Iterator[Problem]:
    """Texts that are not named, and keys that do not go with the measure."""
    for name, claim in claims.claims.items():
        yield from unknown([claim.source], claims.sources, "claims", name, "source")
        for key, message in _of_measure(claim):
            yield ("claims", name, key), message


def _of_measure(claim: Claim) -> Iterator[tuple[str, str]]:
    needed = _NEEDED[claim.measure]
    for key in _OF_MEASURES:
        given = getattr(claim, key) is not None
        if not given and key in needed:
            yield key, f"is missing: the measure {claim.measure} needs it"
        if given and key not in needed | _ALLOWED.get(claim.measure, set()):
            yield key, f"does not go with the measure {claim.measure}"
    if isinstance(claim.value, list) and claim.value[0] >= claim.value[1]:
        yield "value", "should be the least and the largest, in this order"
