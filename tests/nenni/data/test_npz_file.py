"""Damaged arrays are told in a line, and nothing in them runs."""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from damage_cases import damaged, told_in_a_line
from hypothesis import given, settings
from hypothesis import strategies as st

from nenni.data.datasets.medmnist import medmnist
from nenni.data.npz_file import read_pool

ARRAYS = {"x": np.zeros((6, 4, 4), np.uint8), "y": np.arange(6)}
MED = {f"{part}_{what}": v for part in ("train", "val") for what, v in zip(("images", "labels"), ARRAYS.values(), strict=True)}  # fmt: skip


@pytest.mark.parametrize("compressed", [True, False])
@settings(max_examples=100)
@given(data=st.data())
def test_damage_is_told_in_a_line(compressed: bool, data: st.DataObject) -> None:
    to = BytesIO()
    (np.savez_compressed if compressed else np.savez)(to, **ARRAYS, **MED)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "x.npz"
        file.write_bytes(damaged(to.getvalue(), data))
        with told_in_a_line(file):
            read_pool(file, "x", "y")
        with told_in_a_line(file):
            medmnist(file=str(file))
