"""What is known of a data set without decoding it."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from nenni.core import plugins, settings
from nenni.core.errors import UserError
from nenni.data.data_file import decode
from nenni.data.sizes import known_sizes, split_sizes


@pytest.mark.long
def test_a_published_size_is_that_of_the_images() -> None:
    source = settings.validate("data", {"name": "mnist5k"})
    tensors, meta, _ = decode(source, {"train": None, "val": 1, "test": 1}, 0)
    assert known_sizes(source, 0) == {"train": len(tensors["images"])}
    assert plugins.constant("data", "mnist5k", "SHAPE", None) == tuple(meta["input_shape"])


@pytest.mark.parametrize(
    ("name", "total", "channels"),
    [("mnist", 70_000, 1), ("fashion_mnist", 70_000, 1), ("cifar10", 60_000, 3),
     ("cifar100", 60_000, 3), ("svhn", 99_289, 3)],
)  # fmt: skip
def test_published_sizes_add_up(name: str, total: int, channels: int) -> None:
    sizes = known_sizes(settings.validate("data", {"name": name}), 0)
    assert sizes is not None
    assert sum(sizes.values()) == total
    assert plugins.constant("data", name, "SHAPE", None)[0] == channels


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_labels_of_an_npz_file_are_counted_by_their_header(
    version: tuple[int, int], tmp_path: Path
) -> None:
    file = tmp_path / "a.npz"
    with zipfile.ZipFile(file, "w") as arrays, arrays.open("y.npy", "w") as stored:
        np.lib.format.write_array(stored, np.zeros(70, np.int64), version)
    source = settings.validate("data", {"name": "npz", "train": str(file)})
    assert known_sizes(source, 0) == {"train": 70}
    file.write_bytes(file.read_bytes()[:-30])
    assert known_sizes(source, 0) is None


def test_what_is_not_published_is_held_out_of_the_training_images() -> None:
    asked = {"train": None, "val": 3, "test": 2}
    assert split_sizes({"train": 10}, asked) == {"train": 5, "val": 3, "test": 2}
    assert split_sizes({"train": 10, "test": 4}, asked | {"test": None}) == {
        "train": 7, "val": 3, "test": 4
    }  # fmt: skip
    with pytest.raises(UserError, match="ask for 5 images of 4; lower test"):
        split_sizes({"train": 10, "test": 4}, asked | {"test": 5})
    with pytest.raises(UserError, match="ask for 10 images and the rest of 10; lower val, test"):
        split_sizes({"train": 10}, asked | {"val": 8})
