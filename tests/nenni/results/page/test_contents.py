import pandas as pd
import pytest
from page_cases import page_tables

from nenni.results.page import contents
from nenni.run.plan import COLLECTED, OF_BASES, SUMMED_UP

Tables = dict[str, pd.DataFrame]


def test_every_table_of_a_run_is_shown_or_left_to_a_figure(tables: Tables) -> None:
    """A table that nobody placed would be missing without a word."""
    made = {*COLLECTED, *OF_BASES, *SUMMED_UP, "suites", "persistence", "controls"}
    placed = {
        *contents._ACCURACY,
        *contents._COST,
        *contents.DRAWN,
        "reductions",
        "diagnostics",
        "verdicts",
    }
    assert placed == made


def test_every_table_has_a_title_a_sentence_and_its_rows(tables: Tables) -> None:
    shown = [*contents.accuracy_tables(tables), *contents.cost_tables(tables)]
    shown.append(contents.diagnostic_table(tables["diagnostics"]))
    assert len({table.title for table in shown}) == len(shown) == 15
    for table in shown:
        assert table.sentence.endswith(".")
        assert table.rows, table.name
        assert all(len(row) == len(table.columns) for row in table.rows)


@pytest.mark.parametrize("name", [*contents._ACCURACY, *contents._COST])
def test_every_frame_of_the_run_can_be_shown_alone(name: str) -> None:
    tables = {name: page_tables()[name]}
    found = [*contents.accuracy_tables(tables), *contents.cost_tables(tables)]
    assert [table.name for table in found] == [name]
