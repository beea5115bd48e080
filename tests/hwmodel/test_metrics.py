"""What a multiply-accumulate counts, and the width of sums."""

import pytest

from hwmodel.metrics import accumulator_bits, ceil_log2, mac_bitops


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (48, 6), (64, 6), (65, 7)]
)
def test_ceil_log2(value: int, expected: int) -> None:
    assert ceil_log2(value) == expected


def test_accumulators_stop_at_32_bits() -> None:
    assert accumulator_bits(4, 8, 100) == 19
    assert accumulator_bits(16, 16, 100) == 32


def test_conventions_of_a_mac() -> None:
    """4 x 8 bits, 100 products: 32, 12, and 32 more a sum of 19 bits; FP32 sums are FP32."""
    assert mac_bitops(4, 8, 100, "product") == 32
    assert mac_bitops(4, 8, 100, "sum") == 12
    assert mac_bitops(4, 8, 100, "accumulators") == 32 + 19
    assert mac_bitops(32, 32, 100, "accumulators") == 1024 + 32
