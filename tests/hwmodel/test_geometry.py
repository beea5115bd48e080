"""Sizes along one axis, against what a loop finds."""

from hypothesis import given
from hypothesis import strategies as st

from hwmodel.geometry import output_length, positions_read, transposed_lengths

SMALL = st.integers(1, 6)


@given(length=st.integers(1, 40), outputs=st.integers(1, 15), kernel=SMALL, stride=SMALL,
       before=st.integers(0, 9), dilation=SMALL)  # fmt: skip
def test_positions_read(
    length: int, outputs: int, kernel: int, stride: int, before: int, dilation: int
) -> None:
    starts = range(-before, outputs * stride - before, stride)
    read = {start + tap * dilation for start in starts for tap in range(kernel)}
    expected = sum(0 <= position < length for position in read)
    assert positions_read(length, outputs, kernel, stride, before, dilation) == expected


def test_large_sizes_take_no_time() -> None:
    assert positions_read(10**7, 10**7, 3, 1, 1, 1) == 10**7
    assert positions_read(10**7, 5 * 10**6 - 2, 2, 2, 0, 3) == 10**7 - 4


@given(length=st.integers(1, 20), kernel=SMALL, stride=SMALL, padding=st.integers(0, 4),
       dilation=SMALL)  # fmt: skip
def test_a_transposed_convolution_undoes_the_sizes_of_one(
    length: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    for outputs in transposed_lengths(length, kernel, stride, padding, dilation)[:stride]:
        if outputs > 0:
            assert output_length(outputs, kernel, stride, padding, dilation) == length
