import pandas as pd
import pytest

from nenni.results.page.tables import COLUMNS, Cell, change, points, share, table


def cells(frame: pd.DataFrame) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table(frame, "t", "T", "It says so.").rows]


def test_known_columns_have_titles_and_meanings_others_their_names() -> None:
    frame = pd.DataFrame({"any_iterate": [0.5], "of_mine": [1.5], "verdict": ["fail"]})
    shown = table(frame, "suites", "Suites", "It says so.")
    assert [column.title for column in shown.columns] == [
        "at the worst point tried", "of mine", "verdict",
    ]  # fmt: skip
    assert shown.columns[0].meaning
    assert [column.number for column in shown.columns] == [True, True, False]
    assert shown.file == "tables/suites.csv"
    assert cells(frame) == [["50.0 %", "1.5", "fail"]]


@pytest.mark.parametrize(
    ("column", "value", "text", "order"),
    [
        ("accuracy", 0.7512, "75.1 %", 0.7512),
        ("difference", -0.0505, "-5.1", -0.0505),
        ("n", 1000, "1000", 1000),
        ("p", 3.16e-9, "3.2e-09", 3.16e-9),
        ("other", 0.123456, "0.1235", 0.123456),
        ("other", 85570.0, "85570", 85570.0),
        ("other", float("nan"), "", None),
        ("other", None, "", None),
        ("other", True, "True", None),
        ("seed", "all", "all", None),
    ],
)
def test_numbers_are_written_as_their_column_is(
    column: str, value: object, text: str, order: float | None
) -> None:
    ((cell,),) = table(pd.DataFrame({column: [value]}), "t", "T", "S").rows
    assert cell == Cell(text, order)


def test_shares_and_changes_are_sorted_by_their_number() -> None:
    assert share(0.751, 0.726, 0.775) == Cell("75.1 % [72.6, 77.5]", 0.751)
    assert share(0.751) == Cell("75.1 %", 0.751)
    assert share(float("nan")) == Cell("")
    assert points(-0.0505, -0.066, -0.035) == Cell("-5.1 [-6.6, -3.5]", -0.0505)
    assert points(float("nan"), 0.1, 0.2) == Cell("")
    assert change(0.712) == Cell("-71.2 %", -0.712)
    assert change(-0.2) == Cell("+20.0 %", 0.2)
    assert change(0.0).text == change(-0.0001).text == change(0.0001).text == "0.0 %"


def test_every_title_is_short_and_every_meaning_a_clause() -> None:
    for title, meaning, _ in COLUMNS.values():
        assert 0 < len(title) < 30
        assert not meaning.endswith(".")


def test_an_empty_table_has_no_rows() -> None:
    assert cells(pd.DataFrame({"accuracy": []})) == []
