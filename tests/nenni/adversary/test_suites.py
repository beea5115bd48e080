"""Suites by name and of one's own."""

import pytest
from torch import Tensor, nn

import nenni
from nenni.adversary.suite_attacks import SUITES
from nenni.adversary.suites import applicable, read_suite
from nenni.core.errors import UserError

Digits = tuple[Tensor, Tensor]


@pytest.fixture
def held_out(digits: Digits) -> Digits:
    return digits[0][800:860], digits[1][800:860]


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ("strong", "unknown suite 'strong'; known are: quick, card, standard, full, labels"),
        ({"a": {"name": "pgd", "stpes": 3}}, "suite: a.stpes: unknown key"),
        ({"a": {"name": "pgdd"}}, "suite: a.name: unknown attack 'pgdd'"),
        ({"a": {"name": "pgd", "surrogate": {"name": "x"}}}, "suite: a.surrogate.name: unknown"),
        ({"a": {"name": "pgd", "surogate": {"name": "bpda"}}}, "did you mean 'surrogate'"),
        ({"a": {"name": "pgd", "surrogate": None}}, "suite: a.surrogate: should be a mapping"),
        ({"a": {"name": "mask_flip"}}, "suite: a: for injected networks alone, and this is none"),
        (
            {"a": {"name": "pgd", "surrogate": {"name": "bpda"}}, "b": {"name": "mask_flip"}},
            "suite: a, b: for injected networks alone",
        ),
        ({"clean": {"name": "fgsm"}}, "no other row of the summary .*, got 'clean'"),
        ({"all attacks": {"name": "fgsm"}}, "no other row of the summary"),
        ({"transfer": {"name": "fgsm"}}, "no other row of the summary"),
        ({" ": {"name": "fgsm"}}, "an attack should have a name"),
    ],
)
def test_mistakes_in_a_suite(
    suite: object, message: str, trained: nn.Module, held_out: Digits
) -> None:
    with pytest.raises(UserError, match=message):
        nenni.evaluate(trained, held_out, suite)  # type: ignore[arg-type]


def test_every_suite_reads_for_both_norms() -> None:
    for name in SUITES:
        for norm in ("linf", "l2"):
            attacks = read_suite(name, norm)  # type: ignore[arg-type]
            assert {attack.norm for attack in attacks.values()} == {norm}
    assert {a.name for a in read_suite("full", "l2").values()} >= {"ddn", "cw_l2", "autoattack"}


def test_by_one_draw_nothing_is_averaged() -> None:
    pgd = {"name": "pgd", "steps": 2}
    held = {**pgd, "surrogate": {"name": "one_draw"}}
    asked = read_suite({"plain": pgd, "held": held}, "linf")
    made = applicable(asked, injected=False, randomised=True, samples=7)
    assert made["plain"].arguments["samples"] == 7
    assert made["held"].arguments["samples"] == 1
    with pytest.raises(UserError, match=r"suite: a\.samples: averages over draws, and the surro"):
        read_suite({"a": {**held, "samples": 3}}, "linf")
