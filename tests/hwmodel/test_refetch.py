"""What crosses the memory again: by hand, and more buffer is never more bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwmodel
from hwmodel.product import Product
from hwmodel.refetch import Passes, Sizes, chunked, folded, passes, tiled
from hwmodel.systolic import Dataflow

SIZE = st.integers(1, 300)
SIDE = st.integers(1, 16)
BYTES = st.floats(0, 1e6)
FLOWS: tuple[Dataflow, ...] = ("output_stationary", "weight_stationary", "input_stationary")


def sizes_of(product: Product) -> Sizes:
    M, n, d = product.M, product.n, product.d
    return Sizes(inputs=M * d, weights=n * d, sums=4 * M * n)


def with_buffer(preset: hwmodel.Preset, size: float | None) -> hwmodel.Preset:
    sourced = {"value": size, "tag": "assumed", "source": "test"}
    data = preset.model_dump() | {"buffer_bytes": sourced if size else None}
    return hwmodel.Preset.model_validate(data)


@pytest.mark.parametrize("name", hwmodel.preset_names())
@given(SIZE, SIZE, SIZE, st.floats(1, 1e6), st.floats(1, 10))
def test_more_buffer_is_never_more_bytes(
    name: str, M: int, n: int, d: int, small: float, times: float
) -> None:
    product, preset = Product(M, n, d), hwmodel.load_preset(name)
    sizes = sizes_of(product)
    found = [
        sizes.moved(passes(with_buffer(preset, size), product, sizes, sizes))
        for size in (small, small * times, None)
    ]
    assert found == sorted(found, reverse=True)
    assert found[-1] == sizes.inputs + sizes.weights


@given(SIZE, SIZE, SIZE, SIDE, SIDE, st.sampled_from(FLOWS), BYTES)
def test_chunks_never_cost_more_than_all_positions_at_once(
    M: int, n: int, d: int, rows: int, columns: int, flow: Dataflow, capacity: float
) -> None:
    product = Product(M, n, d)
    sizes = sizes_of(product)
    whole = min(map(sizes.moved, folded(product, rows, columns, flow, sizes, capacity)))
    in_chunks = min(map(sizes.moved, chunked(product, rows, columns, flow, sizes, capacity)))
    assert sizes.inputs + sizes.weights <= in_chunks * (1 + 1e-9)
    assert in_chunks <= whole
    if sizes.inputs + sizes.weights + sizes.sums <= capacity:
        assert in_chunks == pytest.approx(sizes.inputs + sizes.weights)


@given(SIZE, SIZE, SIZE, st.floats(1, 1e6))
def test_a_tiled_product_reads_an_operand_once_where_the_other_fits(
    M: int, n: int, d: int, capacity: float
) -> None:
    product = Product(M, n, d)
    sizes = sizes_of(product)
    least = min(map(sizes.moved, tiled(product, sizes, capacity)))
    if min(sizes.inputs, sizes.weights) <= capacity:
        assert least == sizes.inputs + sizes.weights
    elif sizes.sums > capacity and M * n > 1:  # else all sums stay, and each operand comes once
        assert least > sizes.inputs + sizes.weights
    assert least <= n * sizes.inputs + M * sizes.weights


def test_a_tiled_product_by_hand() -> None:
    """100 x 80 outputs of 1,000 inputs: 100 kB and 80 kB of operands, 32 kB of sums, 10 kB held.

    Inputs stay: 10 x 80 kB. Weights stay: 8 x 100 kB. Sums stay: 20 neurons, each 80 bytes of sums
    and one of inputs a position, leave room for 123 positions: 4 x 100 kB and 80 kB.
    """
    product, sizes = Product(100, 80, 1000), Sizes(100_000, 80_000, 32_000)
    ways = list(tiled(product, sizes, 10_000))
    assert ways[:2] == [Passes(weights=10), Passes(inputs=8)]
    assert Passes(inputs=4, weights=1) in ways
    assert min(map(sizes.moved, ways)) == 360_000  # 40 neurons and 61 positions: 2 and 2
    assert Passes(inputs=2, weights=2) in ways


@pytest.mark.parametrize(
    ("flow", "capacity", "expected"),
    [
        # 8 x 6 outputs of 4 inputs on 2 x 3: inputs of 32 bytes come for both turns of neurons,
        # a block of 12 bytes of weights for all 4 of positions.
        ("output_stationary", 44, Passes(1, 1, 1)),
        ("output_stationary", 32, Passes(2, 1, 1)),
        ("output_stationary", 12, Passes(2, 1, 1)),
        ("output_stationary", 11, Passes(2, 4, 1)),
        # 96 bytes of the sums of 3 neurons, or 2 partial sums each.
        ("weight_stationary", 128, Passes(1, 1, 1)),
        ("weight_stationary", 96, Passes(2, 1, 1)),
        ("weight_stationary", 32, Passes(1, 1, 2)),
        ("weight_stationary", 31, Passes(2, 1, 2)),
        # 24 bytes of weights for 3 turns of positions, 72 of the sums of 3 positions.
        ("input_stationary", 96, Passes(1, 1, 1)),
        ("input_stationary", 72, Passes(1, 3, 1)),
        ("input_stationary", 24, Passes(1, 1, 2)),
    ],
)
def test_folds_of_an_array_by_hand(flow: Dataflow, capacity: float, expected: Passes) -> None:
    product = Product(8, 6, 4)
    sizes = sizes_of(product)
    ways = list(folded(product, 2, 3, flow, sizes, capacity))
    assert min(ways, key=sizes.moved) == expected


def test_positions_run_in_chunks_rather_than_spill() -> None:
    """1,000 positions, 8 inputs of which the array holds 2: 3 x 4 x 2 x 4,000 bytes of spills."""
    product = Product(1000, 4, 8)
    sizes = sizes_of(product)
    best = min(chunked(product, 2, 4, "weight_stationary", sizes, 500.0), key=sizes.moved)
    assert best == Passes(inputs=1, weights=32, sums=1, chunks=32)
    assert sizes.moved(best) == 8000 + 32 * 32


def test_without_a_buffer_all_is_held(make_preset: Any) -> None:
    product = Product(1000, 1000, 1000)
    sizes = sizes_of(product)
    assert passes(make_preset(), product, sizes, sizes) == Passes()


def test_what_does_not_cross_is_fetched_again_for_nothing(make_preset: Any) -> None:
    """100 x 100 x 100 in 4,000 bytes: inputs that stay on the chip come for each turn of weights."""
    product, preset = Product(100, 100, 100), with_buffer(make_preset(), 8000.0)
    sizes = sizes_of(product)
    found = passes(preset, product, sizes, Sizes(inputs=0, weights=10_000, sums=0))
    assert found == Passes(inputs=3, weights=1)
