from card_cases import cost, diagnosis, small_card

from nenni.cards.card_tables import attack_tables, checks, cost_tables, notes
from nenni.cards.schema import Diagnosis
from nenni.cards.schema_cost import Cost
from nenni.results.page.tables import Table

RANDOMISED = small_card({"pgd_20": "90 3"}, clean="100 50", chosen={"pgd_20": "9 1"}, scored_on=100)


def column(table: Table, title: str) -> list[str]:
    place = [head.title for head in table.columns].index(title)
    return [row[place].text for row in table.rows]


def test_every_attack_has_a_row_between_clean_and_all() -> None:
    (found,) = attack_tables(small_card())
    assert column(found, "attack") == ["no attack", "pgd_20", "square", "all attacks"]
    assert column(found, "at the worst point tried") == [
        "90.0 % [59.6, 98.2]", "40.0 % [16.8, 68.7]", "40.0 % [16.8, 68.7]", "20.0 % [5.7, 51.0]",
    ]  # fmt: skip
    assert column(found, "at what it returned")[0] == ""
    assert column(found, "forward passes") == ["", "19", "19", ""]


def test_tries_are_of_randomised_networks_alone() -> None:
    _, tries = attack_tables(RANDOMISED)
    assert column(tries, "tries") == ["1", "100"]
    assert column(tries, "accuracy")[1].startswith("10.0 %")


def test_notes_name_their_attacks() -> None:
    card = small_card()
    assert notes(card) == [("its masks are decided by the last digits", "all")]
    content = card.model_dump(mode="json", by_alias=True)
    content["attacks"][0]["notes"].append("a; b")
    assert notes(type(card).model_validate(content))[1] == ("a; b", "pgd_20")


def test_checks_in_sentences_and_as_a_table() -> None:
    card = small_card()
    told, table = checks(card, Diagnosis.model_validate(diagnosis("not to be believed: x", "fail")))
    assert told.sign == "bad"
    assert told.verdict == "not to be believed: x"
    assert [finding.check for finding in told.findings] == ["near the least", "loss has settled"]
    assert column(table, "check") == ["near the least", "loss has settled"]
    assert column(table, "p") == ["0.001", ""]
    assert (
        checks(card, Diagnosis.model_validate(diagnosis("trustworthy", "pass")))[0].sign == "good"
    )


def test_costs() -> None:
    bitops, terms, times, energies = cost_tables(Cost.model_validate(cost(0.5)))
    assert column(bitops, "change")[0] == "-50.0\u00a0%"
    assert column(bitops, "change, overheads left out")[0] == "-55.0\u00a0%"
    assert column(bitops, "accuracy measured")[:2] == ["yes", "no"]
    assert column(terms, "BitOPs (M)") == ["450", "50"]
    assert column(times, "this network (µs)") == ["1000", ""]
    assert column(times, "change against FP32") == ["the same", ""]
    assert column(energies, "change") == ["-50.0\u00a0%"]
