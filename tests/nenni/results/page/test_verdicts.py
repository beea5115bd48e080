from page_cases import VERDICTS, claims

from nenni.results.page.verdicts import counted, verdicts
from nenni.results.verdict import DIRECTION, NOT_REPRODUCED, REPRODUCED


def test_each_row_has_its_verdict_claim_comparator_and_reason() -> None:
    found = verdicts(claims())
    assert [it.verdict for it in found] == list(VERDICTS)
    assert [it.sign for it in found] == ["good", "partly", "bad", "open", "open", "open"]
    assert found[1].claim == "claim number 1"
    assert found[1].against == "none_ft"
    assert found[1].reason == "reason number 1"


def test_what_a_table_lacks_is_left_empty() -> None:
    found = verdicts(claims()[["claim", "verdict"]])
    assert (found[0].claim, found[0].against, found[0].reason) == ("claim_0", "", "")
    assert verdicts(claims(comparator=None))[0].against == ""


def test_what_is_decided_comes_first_and_is_counted_so() -> None:
    table = claims().assign(
        verdict=["not tested", NOT_REPRODUCED, DIRECTION, *[REPRODUCED] * 2, "undecided"]
    )
    assert counted(verdicts(table)) == [
        ("good", REPRODUCED, 2), ("partly", DIRECTION, 1), ("bad", NOT_REPRODUCED, 1), ("open", "undecided", 1),
        ("open", "not tested", 1),
    ]  # fmt: skip
    assert [it.claim for it in verdicts(table)][:3] == [f"claim number {n}" for n in (3, 4, 2)]
    assert counted([]) == []
