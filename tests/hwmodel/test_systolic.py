"""Cycles of systolic arrays: golden runs of SCALE-Sim, an array simulated step by step, limits."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.product import Product
from hwmodel.systolic import Dataflow, cycles, packed, reads, restarts

GOLDEN = Path(__file__).parent / "data" / "scalesim_resnet18_32x32.csv"
DATAFLOWS: dict[str, Dataflow] = {
    "os": "output_stationary", "ws": "weight_stationary", "is": "input_stationary",
}  # fmt: skip
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
        # 3 x 9 inputs in folds of 2 x 4: 2 x 3 folds. They take 2 steps to load, the last of 6
        # neurons enters in step 8 and reaches the last element 1 + 3 steps later: 12 a fold.
        ("input_stationary", 2 * 3 * 12 - 1),
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


@given(SIZE, SIZE, SIZE, st.integers(1, 40))
def test_input_stationary_is_weight_stationary_with_the_operands_exchanged(
    M: int, n: int, d: int, rows: int
) -> None:
    swapped = cycles(Product(n, M, d), rows, 7, "weight_stationary")
    assert cycles(Product(M, n, d), rows, 7, "input_stationary") == swapped


def test_depthwise_groups_lie_side_by_side() -> None:
    """3 x 3 taps and one neuron: 3 of 96 groups fill 27 of 32 rows, in a third of the folds."""
    product = Product(M=196, n=1, d=9, count=96, taps=9)
    assert packed(product, 32, 32, "weight_stationary") == Product(196, 3, 27, 32, 9)
    assert cycles(packed(product, 32, 32, "weight_stationary"), 32, 32, "weight_stationary") == (
        32 * (196 + 2 * 32 + 32 - 2 - 1)
    )
    outputs = packed(product, 32, 32, "output_stationary")
    assert outputs == Product(196, 32, 288, 3, 9)


@given(SIZE, SIZE, SIZE, st.integers(2, 40), st.integers(1, 40), st.integers(1, 40), FLOWS)
def test_packing_never_costs_cycles_nor_loses_groups(
    M: int, n: int, d: int, count: int, rows: int, columns: int, flow: Dataflow
) -> None:
    product = Product(M, n, d, count)
    found = packed(product, rows, columns, flow)
    assert cycles(found, rows, columns, flow) <= cycles(product, rows, columns, flow)
    groups = found.n // n
    assert found.d == groups * d
    assert (found.count - 1) * groups < count <= found.count * groups
    assert (cycles(found, rows, columns, flow) + found.count) * rows * columns >= product.macs
    assert packed(Product(M, n, d), rows, columns, flow) == Product(M, n, d)


def test_chunks_load_the_weights_again() -> None:
    """9 x 6 products of 3 on 2 x 4: 2 x 2 folds, 6 more cycles for each of 2 more chunks of 3."""
    product = Product(9, 6, 3)
    once = cycles(product, 2, 4, "weight_stationary")
    in_chunks = 4 * 3 * (3 + 6) - 1
    assert once + restarts(product, 2, 4, "weight_stationary", 3) == in_chunks
    assert restarts(product, 2, 4, "output_stationary", 3) == 0
