import re

from card_cases import small_card

from nenni.cards.attacks_chart import mark, specification, static
from nenni.cards.schema import Accuracy

ONE = [
    mark(name, "a network", Accuracy(accuracy=mean, low=mean / 2, high=1))
    for name, mean in (("no attack", 0.9), ("pgd_20", 0.4))
]
TWO = [*ONE, *(mark(m.attack, "another", Accuracy(accuracy=0.3, low=0.1, high=0.5)) for m in ONE)]


def marks_of(svg: str) -> list[str]:
    return re.findall(r'aria-label="([^"]*network: [^"]*)"', svg)


def test_a_mark_is_in_per_cent_with_its_interval() -> None:
    found = mark("pgd_20", "a network", small_card().attacks[0].worst)
    assert (found.accuracy, found.low, found.high) == (40.0, 16.82, 68.73)
    assert found.interval == "16.8 to 68.7"


def test_every_attack_of_every_network_has_a_mark() -> None:
    for marks in (ONE, TWO):
        found = marks_of(static(marks))
        dots = [label for label in found if "interval" in label or "stay right" in label]
        assert len([label for label in dots if "pgd_20" in label]) >= len(marks) / 2
        assert static(marks) == static(marks)


def test_two_networks_have_a_legend_and_one_has_none() -> None:
    assert "another" in static(TWO)
    assert ">a network<" in static(TWO)
    assert ">a network<" not in static(ONE)


def test_attacks_stand_in_the_order_given() -> None:
    encoding = specification(TWO)["layer"][1]["encoding"]
    assert encoding["y"]["sort"] == ["no attack", "pgd_20"]
    assert encoding["yOffset"]["sort"] == ["a network", "another"]
    assert encoding["x"]["scale"]["domain"] == [0, 100]
