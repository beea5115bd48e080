import pytest
from card_cases import MASKED, cost, diagnosis, small_card

from nenni.cards import words
from nenni.cards.schema_cost import Cost


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (41_524_264_960, "41.5 GBitOPs"),
        (1.2e12, "1.2 TBitOPs"),
        (368e6, "368 MBitOPs"),
        (1500, "1.5 kBitOPs"),
        (12, "12 BitOPs"),
    ],
)
def test_numbers_of_operations(number: float, told: str) -> None:
    assert words.large(number, "BitOPs") == told.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("new", "old", "told"),
    [
        (50, 100, "-50.0 %"),
        (461.5, 100, "4.6 times"),
        (299, 100, "+199.0 %"),
        (1600, 100, "16.0 times"),
        (100, 100, "the same"),
        (100.04, 100, "the same"),
    ],
)
def test_changes(new: float, old: float, told: str) -> None:
    assert words.change(new, old).replace("\u00a0", " ") == told


@pytest.mark.parametrize(
    ("verdict", "sign"),
    [
        ("trustworthy", "good"),
        ("PGD-20 is too weak, believe the least over stronger attacks: it gains", "partly"),
        (MASKED, "bad"),
        ("undecided, too few images (n = 5): hardly any check could fail", "open"),
    ],
)
def test_how_far_it_is_believed(verdict: str, sign: str) -> None:
    found = words.belief(small_card(diagnosis=diagnosis(verdict, "fail")))
    assert (found[0], found[2]) == (sign, verdict)
    reason = {"diagnosis": "it gives labels alone"}
    assert words.belief(small_card(diagnosis=None, missing=reason))[::2] == (
        "open",
        reason["diagnosis"],
    )


def test_radii_and_accuracies() -> None:
    assert words.radius_of(small_card()) == "L∞ 8/255"
    assert words.radius_of(small_card(protocol__norm="l2", protocol__eps=0.5)) == "L2 0.5"
    told = words.with_interval(small_card().clean).replace("\u00a0", " ")
    assert told == "90.0 % (59.6 to 98.2 %)"


def test_cost() -> None:
    found = Cost.model_validate(cost(0.5))
    assert words.against(found, "int8").dense == 6.25e7
    assert [row.platform for row in words.timed(found)] == ["server_cpu"]
    told = words.cost(small_card()).replace("\u00a0", " ")
    assert told == "500 MBitOPs an image, against dense FP32: -50.0 %"
    assert words.cost(small_card(cost=None, missing={"cost": "no layers"})).endswith("no layers")
