"""Cycles of systolic arrays: golden runs of SCALE-Sim, an array simulated step by step, limits."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.product import Product
from hwmodel.systolic import Dataflow, cycles, reads

GOLDEN = Path(__file__).parent / "data" / "scalesim_resnet18_32x32.csv"
DATAFLOWS: dict[str, Dataflow] = {"os": "output_stationary", "ws": "weight_stationary"}
SIZE = st.integers(1, 70)
FLOWS = st.sampled_from(list(DATAFLOWS.values()))


def golden() -> list[dict[str, str]]:
    lines = [line for line in GOLDEN.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def test_all_rows_of_scale_sim() -> None:
    rows = golden()
    assert len(rows) == 60
    for row in rows:
        product = Product(int(row["M"]), int(row["N"]), int(row["K"]))
        array = int(row["rows"]), int(row["cols"]), DATAFLOWS[row["dataflow"]]
        assert cycles(product, *array) == int(row["compute_cycles"]), row
        found = reads(product, *array)
        assert found.inputs == int(row["sram_ifmap_reads"]), row
        assert found.weights == int(row["sram_filter_reads"]), row
        if row["dataflow"] == "ws":
            assert found.outputs == int(row["sram_ofmap_writes"]), row


@pytest.mark.parametrize(
    ("dataflow", "expected"),
    [
        # 9 x 6 outputs in folds of 2 x 4: 5 x 2 folds. The last of 3 products enters the first
        # element in step 3 and the last element 1 + 3 steps later: 7 a fold.
        ("output_stationary", 5 * 2 * 7 - 1),
        # 3 x 6 weights in folds of 2 x 4: 2 x 2 folds. They take 2 steps to load, the last of 9
        # positions enters in step 11 and reaches the last element 1 + 3 steps later: 15 a fold.
        ("weight_stationary", 2 * 2 * 15 - 1),
    ],
)
def test_two_rows_and_four_columns_by_hand(dataflow: Dataflow, expected: int) -> None:
    product = Product(M=9, n=6, d=3)
    assert cycles(product, 2, 4, dataflow) == expected
    assert cycles(product, 4, 2, dataflow) != expected


def simulated_fold(positions: int, neurons: int, d: int, rows: int, columns: int) -> int:
    """Steps until the last element of a full output-stationary fold has its last product.

    Operands move one element a step: inputs enter row i after i steps and go right, weights enter
    column j after j steps and go down.
    """
    done, step = {}, 0
    while len(done) < positions * neurons:
        for i in range(min(positions, rows)):
            for j in range(min(neurons, columns)):
                if step - i - j == d - 1:
                    done[i, j] = step + 1
        step += 1
    return max(done.values())


@given(SIZE, st.integers(1, 9), st.integers(1, 9))
def test_a_full_fold_is_that_of_a_simulated_array(d: int, rows: int, columns: int) -> None:
    product = Product(M=rows, n=columns, d=d)
    steps = simulated_fold(rows, columns, d, rows, columns)
    assert cycles(product, rows, columns, "output_stationary") == steps - 1


@given(SIZE, SIZE, SIZE, st.integers(1, 40), st.integers(1, 40), FLOWS)
def test_never_faster_than_its_multipliers(
    M: int, n: int, d: int, rows: int, columns: int, dataflow: Dataflow
) -> None:
    product = Product(M, n, d)
    assert (cycles(product, rows, columns, dataflow) + 1) * rows * columns >= product.macs
    assert cycles(Product(M, n, d, count=3), rows, columns, dataflow) == 3 * cycles(
        product, rows, columns, dataflow
    )
    for larger in (Product(M + 1, n, d), Product(M, n + 1, d), Product(M, n, d + 1)):
        assert cycles(larger, rows, columns, dataflow) >= cycles(product, rows, columns, dataflow)
    found = reads(product, rows, columns, dataflow)
    assert found.inputs >= M * d
    assert found.weights >= n * d
    assert found.outputs >= M * n


@pytest.mark.parametrize("dataflow", DATAFLOWS.values())
def test_nothing_takes_no_time(dataflow: Dataflow) -> None:
    assert cycles(Product(0, 6, 3), 2, 4, dataflow) == 0
    assert reads(Product(0, 6, 3), 2, 4, dataflow).weights == 0
