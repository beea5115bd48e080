"""The tables of a run, in small."""

import pandas as pd
import pytest
from table_cases import small_tables


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    """Name -> table."""
    return small_tables()
