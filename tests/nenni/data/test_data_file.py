from pathlib import Path

import numpy as np
import pytest

from nenni.core.errors import UserError
from nenni.data.data_file import decode, load_data, save_data
from nenni.data.split import first


@pytest.mark.long
def test_data_file(tmp_path: Path) -> None:
    sizes = {"train": 300, "val": 50, "test": 100}
    tensors, meta, _ = decode({"name": "mnist5k"}, sizes, 0)  # type: ignore[arg-type]
    save_data(tmp_path / "d", tensors, meta)
    data, about = load_data(tmp_path / "d", ("train", "test"))
    assert about == {"n_classes": 10, "input_shape": [1, 28, 28]}
    x, y = first(data["train"], 300)
    assert x.shape == (300, 1, 28, 28)
    assert 0 <= x.min() < x.max() == 1
    assert len(y[:60].unique()) == 10, "the first images of a split are a random sample"
    parts = [set(tensors[name].tolist()) for name in sizes]
    assert [len(p) for p in parts] == [300, 50, 100]
    assert len(set.union(*parts)) == 450
    with pytest.raises(UserError, match="ask for 6000 images of 5000"):
        decode({"name": "mnist5k"}, {"train": 6000, "val": 0, "test": 0}, 0)


@pytest.mark.parametrize("shape", [(9, 8), (8, 9), (8, 8, 3), (8, 8, 4)])
def test_parts_of_another_size_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    images = np.zeros((9, 8, 8), np.uint8), np.zeros((9, *shape), np.uint8)
    labels, file = np.arange(9), tmp_path / "m.npz"
    parts = {f"{part}_images": x for part, x in zip(("train", "test"), images, strict=True)}
    np.savez(file, train_labels=labels, test_labels=labels, **parts)
    source = {"name": "medmnist", "file": str(file)}
    with pytest.raises(
        UserError, match=r"should be of one size, got \(1, 8, 8\) in .*m.npz: train"
    ):
        decode(source, {"train": None, "val": 2, "test": None}, 0)
