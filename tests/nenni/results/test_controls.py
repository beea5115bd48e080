"""Methods beside their controls."""

from typing import Any

import pandas as pd
import pytest
from table_cases import COLUMNS, EPS

from nenni.results.controls import COLUMNS as MADE
from nenni.results.controls import controls_table

TABLES = {"clean": "fgsm", "columns": COLUMNS, "eps": EPS, "norm": "linf"}
CONTROLS = {"topk_50": ["random_50", "none_ft"], "nm_2_4": ["none_ft"]}
AT = EPS["pgd_at"]


def pair(defence: str, control: str, evaluation: str, eps: float, **changes: Any) -> dict[str, Any]:
    return {
        "base": "pgd_at", "defence": defence, "control_base": "pgd_at", "control": control,
        "evaluation": evaluation, "norm": "linf", "eps": eps, "seed": "all", "n": 9, "seeds": 2,
        "accuracy": 0.5, "control_accuracy": 0.6, "difference": -0.1, "low": -0.2, "high": 0.0,
        "values": "0:-0.1", "interval": "seeds and images", **changes,
    }  # fmt: skip


READ = [
    pair("nm_2_4", "none_ft", "pgd", AT),
    pair("topk_50", "none_ft", "fgsm", 0.0),
    pair("topk_50", "none_ft", "fgsm", AT),
    pair("topk_50", "random_50", "pgd", AT),
    pair("topk_50", "random_50", "full linf least of both", 0.5),
]
OTHERS = [
    pair("topk_50", "random_50", "pgd", AT, seed="0"),
    pair("topk_50", "random_50", "pgd", AT / 2),
    pair("topk_50", "random_50", "pgd", 0.0),
    pair("topk_50", "random_50", "pgd any", AT),
    pair("topk_50", "random_50", "full_square", AT),
    pair("topk_50", "random_50", "round l2 least of both", 0.5, norm="l2"),
    pair("topk_50", "none", "pgd", AT),
    pair("nm_2_4", "random_50", "pgd", AT),
    pair("topk_50", "none_ft", "pgd", AT, control_base="standard"),
]


def test_what_the_main_table_reads_is_kept_in_the_order_asked_for() -> None:
    table = controls_table(pd.DataFrame([*READ, *OTHERS]), CONTROLS, TABLES)
    assert list(table) == MADE
    found = table[["defence", "control", "measure", "eps"]].to_numpy().tolist()
    assert found == [
        ["topk_50", "random_50", "pgd_20", AT],
        ["topk_50", "random_50", "least of full", 0.5],
        ["topk_50", "none_ft", "clean", 0.0],
        ["topk_50", "none_ft", "fgsm", AT],
        ["nm_2_4", "none_ft", "pgd_20", AT],
    ]


@pytest.mark.parametrize("other", range(len(OTHERS)))
def test_nothing_else_is(other: int) -> None:
    table = controls_table(pd.DataFrame([OTHERS[other]]), CONTROLS, TABLES)
    assert table.empty
    assert list(table) == MADE
