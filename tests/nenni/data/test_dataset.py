"""Arrays are looked at before they are cast."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nenni.core.errors import UserError
from nenni.data.dataset import checked_pool, counts


@pytest.mark.parametrize(
    ("shape", "channels"), [((5, 8, 8), 1), ((5, 8, 8, 3), 3), ((5, 32, 28, 13), 13), ((5, 3, 3, 4), 4)]
)  # fmt: skip
def test_channels_come_last(shape: tuple[int, ...], channels: int) -> None:
    pool = checked_pool(np.zeros(shape, np.uint8), np.arange(5), "here")
    assert pool.pixels.shape[:2] == (5, channels)


@pytest.mark.parametrize("shape", [(5, 28, 28, 28), (5, 3, 32, 32), (5, 1, 28, 28), (5, 64, 8, 64)])
def test_volumes_and_channels_first_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"here: images should be \(N, H, W, C\), and "):
        checked_pool(np.zeros(shape, np.uint8), np.arange(5), "here")


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_whole_numbers_of_any_width_are_labels(dtype: type[np.integer[Any]]) -> None:
    pool = checked_pool(np.zeros((3, 4, 4), np.uint8), np.array([2, 0, 1], dtype), "here")
    assert pool.labels.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 2**64 - 1], np.uint64),
        np.array([0, 1, 3 * 10**15]),
        np.array([0, 1, -1], np.int8),
        np.array([0, 1, 2**63], np.uint64),
    ],
)
def test_what_is_no_label_is_refused(labels: NDArray[Any]) -> None:
    with pytest.raises(UserError, match=r"labels should be from 0 to .* got -?\d+"):
        checked_pool(np.zeros((3, 4, 4), np.uint8), labels, "here")


def test_classes_are_counted() -> None:
    assert counts(np.array([0, 2, 2]), ["cat", "dog", "emu"]) == (
        "3 images of 3 classes (cat 1, dog 0, emu 2; 1 classes have none)"
    )
    told = counts(np.arange(100), 100)
    assert told.startswith("100 images of 100 classes (0 1, 1 1")
    assert told.endswith("..., 90 1, 91 1, 92 1, 93 1, 94 1, 95 1, 96 1, 97 1, 98 1, 99 1)")
