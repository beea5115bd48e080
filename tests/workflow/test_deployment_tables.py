"""Ratios are over the faster of two dense kernels, whole networks by what was chosen."""

from typing import Any

import pandas as pd
import pytest
from scripts import script_named


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("_deployment_tables")


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    rows = []
    for batch in (1, 64):
        for fraction in (0.5, 0.25):
            about = {"width": 64, "batch": batch, "threads": 1, "fraction": fraction}
            rows += [
                about | {"layer": "a", "torch": 3.0, "dense": 2.0, "skipping": 2 * fraction, "over_best_dense": 1 / fraction},
                about | {
                    "layer": "whole network", "torch": 4.0, "dense": 5.0, "skipping": 8.0, "where_faster": 4 * fraction,
                    "over_best_dense": 1 / fraction,
                },
            ]  # fmt: skip
    return pd.DataFrame(rows)


def test_whole_networks(script: Any, found: pd.DataFrame) -> None:
    table = script.whole(found)
    assert [*table["batch"]] == [1, 64]
    assert table.iloc[0].to_dict() == {
        "width": 64, "batch": 1, "threads": 1, "dense by our kernels": "1.25",
        "50% exact": "2.00 (0.50)", "25% exact": "4.00 (0.50)",
    }  # fmt: skip


def test_layers(script: Any, found: pd.DataFrame) -> None:
    table = script.layers(found, 64)
    assert table.to_dict("records") == [
        {"layer": "`a`", "batch 1, 50 %": "2.00", "batch 1, 25 %": "4.00", "batch 64, 50 %": "2.00", "batch 64, 25 %": "4.00"}
    ]  # fmt: skip
