"""Needs of three loops by hand, against SCALE-Sim, and against a cache of one tile."""

import csv
from itertools import permutations, product
from math import prod
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.loops import AGAIN, ORDERS, Loop, Operand, Order, Unrolled, needs, systolic
from hwmodel.product import Product
from hwmodel.systolic import Dataflow, cycles, reads

ROWS = Path(__file__).parent / "data" / "scalesim_buffers.csv"
FLOWS: dict[str, Dataflow] = {
    "os": "output_stationary", "ws": "weight_stationary", "is": "input_stationary",
}  # fmt: skip
SIZE = st.integers(1, 9)
TILE = st.integers(1, 4)


def simulated() -> list[dict[str, str]]:
    lines = [line for line in ROWS.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def test_cycles_and_reads_of_scale_sim_in_three_dataflows() -> None:
    rows = simulated()
    assert len(rows) == 210
    for row in rows:
        M, n, d, R, C = (int(row[key]) for key in ("M", "n", "d", "rows", "cols"))
        array = R, C, FLOWS[row["dataflow"]]
        assert cycles(Product(M, n, d), *array) == int(row["cycles"]), row
        found = reads(Product(M, n, d), *array)
        assert found.inputs == int(row["sram_inputs"]), row
        assert found.weights == int(row["sram_weights"]), row
        if row["dataflow"] != "os":  # there its count grows with the array, and is no multiple
            assert found.outputs == int(row["sram_outputs"]), row


def test_bytes_from_memory_of_scale_sim() -> None:
    """Half of each buffer, in hundredths of it, has to hold what a loop brings again.

    Its buffers forget all when half of them is full, wherever in a block of weights that is. So
    where a block is held, output stationary, it fetches a part again, less than all of it; and it
    fetches less than a whole pass for every turn where the last block, which is narrower, is held.
    """
    uneven = 0
    for row in simulated():
        M, n, d, R, C = (int(row[key]) for key in ("M", "n", "d", "rows", "cols"))
        flow = FLOWS[row["dataflow"]]
        need = needs(Product(M, n, d), systolic(R, C, flow), ORDERS[flow])
        half = 50 * (int(row["buffer_kb"]) * 1024 // 100)
        expected = {}
        for operand, numbers in (("inputs", M * d), ("weights", n * d)):
            held = need[operand].share * numbers < half
            expected[operand] = numbers * (1 if held else need[operand].times)
        assert int(row["dram_inputs"]) == expected["inputs"], row
        theirs = int(row["dram_weights"])
        if theirs != expected["weights"]:
            assert row["dataflow"] == "os", row
            assert n * d <= theirs <= max(2 * n * d, expected["weights"]), row
            uneven += 1
        written = M * n * need["sums"].times
        assert 0 <= int(row["dram_outputs"]) - written < C, row  # in lines of C numbers
    assert uneven == 12


def test_what_64_kb_of_each_operand_fetch_of_resnet18() -> None:
    """As SCALE-Sim did in a check from outside: 4.1 times the inputs and 1.5 times the weights."""
    lines = (ROWS.parent / "resnet18_32x32_layers.csv").read_text().splitlines()
    once, fetched = {"inputs": 0, "weights": 0}, {"inputs": 0, "weights": 0}
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        channels, n, kernel, size = (
            int(row[key]) for key in ("c_in", "c_out", "kernel", "out_size")
        )
        whole = Product(size**2, n, channels * kernel**2)
        need = needs(whole, systolic(32, 32, "output_stationary"), ORDERS["output_stationary"])
        for operand, numbers in (("inputs", whole.M * whole.d), ("weights", n * whole.d)):
            held = need[operand].share * numbers < 50 * (65536 // 100)
            once[operand] += int(row["repeat"]) * numbers
            fetched[operand] += int(row["repeat"]) * numbers * (1 if held else need[operand].times)
    assert fetched["inputs"] / once["inputs"] == pytest.approx(4.1, abs=0.05)
    assert fetched["weights"] / once["weights"] == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize(
    ("flow", "shares", "times"),
    [
        # 9 x 6 outputs of 5 inputs in tiles of 2 x 4: 5 turns of positions, 2 of neurons, 5 or 3.
        ("output_stationary", {"inputs": 1, "weights": 4 / 6, "sums": 0}, (2, 5, 1)),
        ("weight_stationary", {"inputs": 1, "weights": 0, "sums": 4 / 6}, (2, 1, 3)),
        ("input_stationary", {"inputs": 0, "weights": 1, "sums": 4 / 9}, (1, 3, 3)),
    ],
)
def test_two_rows_and_four_columns_by_hand(
    flow: Dataflow, shares: dict[str, float], times: tuple[int, int, int]
) -> None:
    found = needs(Product(9, 6, 5), systolic(2, 4, flow), ORDERS[flow])
    assert {of: need.share for of, need in found.items()} == pytest.approx(shares)
    assert tuple(need.times for need in found.values()) == times


def test_taps_of_a_kernel_follow_each_other() -> None:
    turns = Unrolled(1, 8, 32).turns(Product(10, 20, 9 * 3, taps=9))
    assert turns == {"positions": 10, "neurons": 3, "depth": 9}


def fetches(order: Order, turns: dict[Loop, int], operand: Operand) -> int:
    """Tiles of an operand that enter a memory of one tile, step by step."""
    held: object = None
    count = 0
    for step in product(*(range(turns[loop]) for loop in order)):
        at = dict(zip(order, step, strict=True))
        tile = tuple(at[loop] for loop in order if loop != AGAIN[operand])
        count += tile != held
        held = tile
    return count


@given(SIZE, SIZE, SIZE, TILE, TILE, TILE, st.sampled_from(list(permutations(AGAIN.values()))))
def test_a_simulated_memory_of_one_tile_fetches_as_often(
    M: int, n: int, d: int, p: int, q: int, r: int, order: Order
) -> None:
    unrolled, whole = Unrolled(p, q, r), Product(M, n, d)
    turns = unrolled.turns(whole)
    for operand, need in needs(whole, unrolled, order).items():
        tiles = prod(count for loop, count in turns.items() if loop != AGAIN[operand])
        inside = order[order.index(AGAIN[operand]) + 1 :]
        stays = all(turns[loop] == 1 for loop in inside)
        assert (1 if stays else need.times) * tiles == fetches(order, turns, operand)
