"""Small cards, made by hand: what came of few images, with the accuracies that follow."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nenni.cards.card import accuracy
from nenni.cards.outcomes import examples
from nenni.cards.schema import SCHEMA, Card
from nenni.evaluation.scoring import least, robust, robust_at_any

HOSTILE = "<script>alert(\"x\")</script> & </style><b onclick='y'>"
"""Text that would do something where it is not escaped."""
VERDICT = "trustworthy"
MASKED = "not to be believed: the gradients mislead, 52% of the images"
_ZERO = {"accuracy": 0.0, "low": 0.0, "high": 0.0}
_LAYER = {"selection": {"name": "topk", "fraction": 0.5}, "projection": {"name": "sparse"}}


def small_card(
    outcomes: Mapping[str, str] | None = None,
    *,
    clean: str = "1111111110",
    chosen: Mapping[str, str] | None = None,
    scored_on: int = 1,
    **changes: Any,
) -> Card:
    """A card of as many images as `clean` has digits, or numbers of draws parted by spaces.

    `outcomes` are those of each attack at its worst point, `chosen` on the draws that choose, of
    ten; other changes are of the JSON, ``protocol__eps=0.1`` being that of ``protocol``.
    """
    outcomes = {"pgd_20": "1111000000", "square": "1010110000"} if outcomes is None else outcomes
    randomised = scored_on > 1
    spaced = {name: _spaced(text) for name, text in outcomes.items()}
    picked = {name: _spaced(text) for name, text in (chosen or outcomes).items()}
    n = len(_spaced(clean).split(" "))
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "name": "a network",
        "network": {
            "sha256": "0" * 64, "model": {"name": "small_cnn", "hidden": 32},
            "input_shape": [1, 28, 28], "classes": 10, "parameters": 1234, "injected": randomised,
            "randomised": randomised,
            "defence": {"name": "nenni", "layers": {"2": _LAYER, "5": _LAYER}} if randomised else None,
        },
        "data": {
            "name": "test.npz", "sha256": f"{n:064x}", "n": n,
            "images": " ".join(f"{i:016x}" for i in range(n)),
            "labels": " ".join(str(i % 10) for i in range(n)),
        },
        "protocol": {
            "suite": "card", "norm": "linf", "eps": 8 / 255, "seed": 0, "draws": 10,
            "scored_on": scored_on, "batch_size": 250, "diagnosed": n,
        },
        "clean": {**_ZERO, "correct": _spaced(clean), "chosen": _clean_chosen(clean, scored_on)},
        "attacks": [
            {
                "name": name, "parameters": {"name": "pgd", "steps": 20, "norm": "linf"},
                "adapted": {"samples": 10} if randomised else {}, "eps": 8 / 255, "worst": _ZERO,
                "returned": _ZERO, "any_correct": text, "any_chosen": picked[name],
                "adv_correct": text, "adv_chosen": picked[name], "forwards": 19.0,
                "backwards": 19.0, "notes": ["its masks are decided by the last digits"],
            }
            for name, text in spaced.items()
        ],
        "least": _ZERO,
        "persistence": [{"tries": 1, **_share(0.5)}, {"tries": 100, **_share(0.1)}] if randomised else [],
        "diagnosis": diagnosis(VERDICT, "pass"),
        "cost": cost(0.5),
        "missing": {},
        "machine": {
            "versions": {"Python": "3.11", "torch": "2.5"}, "processor": "a processor, family 1",
            "instruction_set": "auto", "device": "cpu", "gpu": None, "threads": 1,
        },
    }  # fmt: skip
    for place, value in changes.items():
        *above, key = place.split("__")
        inner = content
        for part in above:
            inner = inner[part]
        inner[key] = value
    return with_accuracies(content)


def with_accuracies(content: dict[str, Any]) -> Card:
    """The card of JSON whose accuracies are those of its outcomes."""
    card = Card.model_validate(content)
    tables = [examples(card, attack) for attack in card.attacks]
    content["clean"] |= _of(tables[0]["clean_correct"])
    for attack, table in zip(content["attacks"], tables, strict=True):
        attack["worst"], attack["returned"] = _of(robust_at_any(table)), _of(robust(table))
    content["least"] = _of(least(tables))
    return Card.model_validate(content)


def diagnosis(verdict: str, of_check: str) -> dict[str, Any]:
    """A diagnosis of two checks."""
    check = {"value": 0.52, "threshold": 0.1, "meaning": "the gradients mislead"}
    return {
        "verdict": verdict, "n": 10,
        "checks": [
            {"name": "near the least", "p": 0.001, "verdict": of_check, **check},
            {"name": "loss has settled", "p": None, "verdict": "note", **check},
        ],
        "curves": {"eps": [[0.1, 0.5]], "steps": [[1.0, 0.5]], "path": [[0.0, -1.0]]},
    }  # fmt: skip


def cost(share: float) -> dict[str, Any]:
    """A cost of that share of a dense network's in FP32, 1e9 BitOPs."""
    dense = {"fp32": 1e9, "fp16": 2.5e8, "int8": 6.25e7}
    return {
        "convention": "per image, by hand", "metric": "product",
        "terms": {"exact": share * 9e8, "projection": share * 1e8},
        "bitops": [
            {"baseline": name, "variant": variant, "evaluated": variant == "as_evaluated",
             "dense": of, "without_overheads": share * 9e8, "with_overheads": share * 1e9}
            for name, of in dense.items() for variant in ("as_evaluated", "exact_at_baseline")
        ],
        "times": [
            {"platform": "server_cpu", "dense_fp32": 1e-3, "dense_fp16": 5e-4, "dense_int8": 3e-4,
             "network": 2e-3 * share},
            {"platform": "systolic", "dense_fp32": None, "dense_fp16": None, "dense_int8": 3e-4,
             "network": None},
        ],
        "energies": [
            {"platform": "server_cpu", "bits": 32, "evaluated": True, "dense": 2e8,
             "network": 2e8 * share},
        ],
    }  # fmt: skip


def _of(shares: "pd.Series[float]") -> dict[str, float]:
    found: dict[str, float] = accuracy(shares).model_dump()
    return found


def _share(mean: float) -> dict[str, float]:
    return {"accuracy": mean, "low": mean / 2, "high": 1 - mean}


def _clean_chosen(clean: str, scored_on: int) -> str:
    return _spaced(clean) if scored_on == 1 else " ".join("10" for _ in _spaced(clean).split(" "))


def _spaced(digits: str) -> str:
    return digits if " " in digits else " ".join(digits)
