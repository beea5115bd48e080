"""A card holds what evaluation, diagnosis and cost model find, and repeats none of their attacks."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nenni
from nenni.adversary.suite_attacks import SUITES
from nenni.cards.card import card
from nenni.cards.schema import Card
from nenni.core.errors import UserError
from nenni.evaluation.battery_attacks import ATTACKS
from nenni.method.fit import fit

Digits = tuple[Tensor, Tensor]
SUITE: dict[str, dict[str, Any]] = {
    "fgsm": {"name": "fgsm"},
    "pgd_20": {"name": "pgd", "steps": 20},
    "bpda": {"name": "pgd", "steps": 3, "surrogate": {"name": "bpda"}},
}
EPS = 0.05


@pytest.fixture(scope="module")
def few(digits: Digits) -> Digits:
    return digits[0][800:824], digits[1][800:824]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """What the card of the plain network told while it was made."""
    return []


@pytest.fixture(scope="module")
def plain(trained: nn.Module, few: Digits, lines: list[str]) -> Card:
    return card(
        trained, few, SUITE, eps=EPS, name="plain", data_name="digits", diagnosed=20,
        batch_size=16, progress=lines.append,
    )  # fmt: skip


@pytest.mark.long
def test_accuracies_are_those_of_the_evaluation(
    plain: Card, trained: nn.Module, few: Digits
) -> None:
    found = nenni.evaluate(trained, few, SUITE, eps=EPS, batch_size=16)
    summary = found.summary.set_index("attack")
    assert [attack.name for attack in plain.attacks] == ["fgsm", "pgd_20"]
    for attack in plain.attacks:
        row = summary.loc[attack.name]
        assert attack.returned.accuracy == row["accuracy"]
        assert (attack.returned.low, attack.returned.high) == (row["low"], row["high"])
        assert attack.worst.accuracy == row["any_iterate"]
        assert attack.forwards == row["forwards"]
        assert attack.eps == EPS
    assert plain.clean.accuracy == summary.loc["clean", "accuracy"]
    assert plain.least.accuracy == found.robust_accuracy
    assert plain.persistence == []
    assert (plain.protocol.suite, plain.protocol.scored_on) == ("own", 1)
    assert plain.data.n == 24


def test_the_parts_are_all_there(plain: Card) -> None:
    assert plain.diagnosis is not None
    assert plain.diagnosis.n == plain.protocol.diagnosed == 20
    assert {"memory", "black box", "loss has settled"} <= {c.name for c in plain.diagnosis.checks}
    assert set(plain.diagnosis.curves) == {"eps", "steps", "path"}
    assert plain.cost is not None
    assert plain.missing == {}
    parameters = {attack.name: attack.parameters for attack in plain.attacks}
    assert parameters["pgd_20"]["steps"] == 20
    assert parameters["pgd_20"]["norm"] == "linf"
    assert parameters["pgd_20"]["restarts"] == 1


def test_what_it_tells_counts_to_the_end_and_no_attack_is_made_twice(
    plain: Card, lines: list[str]
) -> None:
    counted = [re.match(r"(\d+)/(\d+) (\(.* left\) )?(.*)", line) for line in lines[1:]]
    numbers = [(int(m[1]), int(m[2])) for m in counted if m]
    total = numbers[0][1]
    assert numbers == [(i + 1, total) for i in range(total)]
    told = [m[4] for m in counted if m]
    assert len([line for line in told if line.startswith("fgsm")]) == 2  # two batches, no more
    assert "counting operations" in lines[0]


@pytest.mark.long
def test_the_same_again_is_the_same_card(plain: Card, trained: nn.Module, few: Digits) -> None:
    again = card(
        trained, few, SUITE, eps=EPS, name="plain", data_name="digits", diagnosed=20, batch_size=16
    )
    assert again == plain
    assert again.model_dump_json() == plain.model_dump_json()


class Noisy(nn.Module):
    """A linear classifier whose logits are drawn anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.linear(x.flatten(1))
        return logits + torch.randn_like(logits)


@pytest.mark.long
def test_a_randomised_network_has_a_persistent_attacker(few: Digits) -> None:
    network = Noisy().eval()
    with torch.no_grad():
        network.linear.weight.mul_(8)
    labels = network.linear(few[0].flatten(1)).argmax(1)
    found = card(network, (few[0], labels), SUITE, eps=EPS, diagnosed=4, draws=3)
    assert found.network.randomised
    assert not found.network.injected
    assert found.protocol.scored_on == 100
    assert [attack.name for attack in found.attacks] == ["fgsm", "pgd_20"]
    assert found.attacks[1].adapted["samples"] == 3
    assert found.attacks[1].parameters["samples"] == 1
    assert [row.tries for row in found.persistence] == [1, 3, 10, 30, 100]
    left = [row.accuracy for row in found.persistence]
    assert left == sorted(left, reverse=True)
    assert 0 < left[0] < 1
    assert left[0] == pytest.approx(found.least.accuracy)


@pytest.mark.long
def test_an_injected_network_is_attacked_through_its_paths(
    noisy: nn.Module, digits: Digits, few: Digits
) -> None:
    fit(noisy, digits[0][:100])
    found = card(noisy, few, SUITE, eps=EPS, diagnosed=4)
    assert found.network.injected
    assert not found.network.randomised
    assert [attack.name for attack in found.attacks] == ["fgsm", "pgd_20", "bpda"]
    assert found.attacks[2].parameters["surrogate"]["name"] == "bpda"
    assert found.cost is not None
    assert {"exact", "approximation", "projection"} <= found.cost.terms.keys()


def test_what_a_network_of_labels_cannot_have_is_said(trained: nn.Module, few: Digits) -> None:
    class Labels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = trained

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x).argmax(1)

    found = card(Labels().eval(), few, {"random": {"name": "random_noise"}}, eps=EPS)
    assert found.diagnosis is None
    assert "gradient" in found.missing["diagnosis"] or "logits" in found.missing["diagnosis"]
    assert found.network.classes is None
    assert found.name == "Labels"
    assert found.cost is not None


def test_a_network_without_layers_has_no_cost(few: Digits) -> None:
    class Means(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)[:, :10] * 2

    found = card(Means().eval(), (few[0], few[0].flatten(1)[:, :10].argmax(1)), SUITE, eps=EPS)
    assert found.cost is None
    assert found.missing["cost"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"eps": 8}, "eps is in units of the"),
        ({"draws": 0}, "draws should be"),
        ({"diagnosed": 0}, "diagnosed should be"),
        ({"suite": "strong"}, "unknown suite 'strong'; known are: quick, card, standard"),
    ],
)
def test_mistakes_are_told_before_any_work(
    wrong: dict[str, Any], message: str, trained: nn.Module, few: Digits
) -> None:
    told: list[str] = []
    with pytest.raises(UserError, match=message):
        card(trained, few, **{"eps": EPS, "progress": told.append, **wrong})
    assert told == []


def test_images_that_come_once_are_refused(trained: nn.Module, few: Digits) -> None:
    with pytest.raises(UserError, match="an iterator gives them once"):
        card(trained, iter([few]), SUITE, eps=EPS)


def test_the_suite_of_cards_shares_its_attacks_with_the_diagnostics() -> None:
    assert {name: ATTACKS[name] for name in SUITES["card"]} == SUITES["card"]
    assert {"pgd_20", "apgd_margin", "apgd_pm", "apgd_targeted", "square", "soft_mask", "bpda"} <= {
        *SUITES["card"]
    }
