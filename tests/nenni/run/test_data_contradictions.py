"""Images that a data set does not have are missed before a job starts, where that is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from run_cases import refused_with

DATA = "data.mnist5k"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train": 4000, "val": 1000, "test": 1000}, "the splits ask for 6000 images of 5000; lower"),
        ({"train": 4500, "val": 500}, "the splits ask for 5000 images and the rest of 5000"),
        ({"train": 3500}, "val and test come from the same images; say how many"),
        ({}, "train and val and test come from the same images"),
    ],
)  # fmt: skip
def test_more_than_a_published_set_has(tmp_path: Path, sizes: dict[str, int], message: str) -> None:
    found = refused_with(tmp_path, {DATA: {"data": {"name": "mnist5k"}, **sizes}})
    assert found[0].startswith(f"{DATA}: {message}")


def test_what_is_left_is_counted(tmp_path: Path) -> None:
    left = {"data": {"name": "mnist5k"}, "train": 3500, "val": 501}
    found = refused_with(tmp_path, {DATA: left})
    assert (
        "evaluations.fgsm.examples: should be at most the 999 test images of base 'pgd_at'" in found
    )
    cifar = {"data": {"name": "cifar10"}, "val": 49_600}
    found = refused_with(tmp_path, {DATA: cifar})
    assert "fit.examples: should be at most the 400 train images of base 'pgd_at'" in found


def arrays(folder: Path, train: int, test: int) -> dict[str, Any]:
    for part, n in (("train", train), ("test", test)):
        images = np.zeros((n, 4, 4), np.uint8)
        np.savez(folder / f"{part}.npz", x=images, y=np.zeros(n, np.int64))
    return {"name": "npz", **{part: str(folder / f"{part}.npz") for part in ("train", "test")}}


def medmnist(folder: Path, train: int, test: int) -> dict[str, Any]:
    parts = {"train": train, "val": 600, "test": test}
    np.savez_compressed(
        folder / "m.npz",
        **{f"{part}_images": np.zeros((n, 4, 4), np.uint8) for part, n in parts.items()},
        **{f"{part}_labels": np.zeros((n, 1), np.uint8) for part, n in parts.items()},
    )
    return {"name": "medmnist", "file": str(folder / "m.npz")}


def images(folder: Path, train: int, test: int) -> dict[str, Any]:
    for part, n in (("train", train), ("test", test)):
        for label in "ab":
            (folder / part / label / ".ipynb_checkpoints").mkdir(parents=True)
            image = folder / part / label / "0.png"
            Image.new("L", (4, 4)).save(image)
            for i in range(1, n // 2):
                image.with_name(f"{i}.png").hardlink_to(image)
            (folder / part / label / "notes.txt").touch()
            image.with_name(".ipynb_checkpoints").joinpath("9.png").hardlink_to(image)
    return {"name": "image_folder", "size": 4, **{p: str(folder / p) for p in ("train", "test")}}


@pytest.mark.parametrize("made", [arrays, medmnist, images])
def test_files_are_counted_without_decoding(tmp_path: Path, made: Any) -> None:
    source = made(tmp_path, 2000, 998)
    sizes = {} if made is medmnist else {"val": 600}
    found = refused_with(tmp_path, {DATA: {"data": source, **sizes}})
    assert (
        "evaluations.fgsm.examples: should be at most the 998 test images of base 'pgd_at'" in found
    )
    assert not any(line.startswith(("fit", "describe", "data")) for line in found)
    asked = {"train": 2001, **sizes}
    found = refused_with(tmp_path, {DATA: {"data": source, **asked}})
    assert any(line.startswith(f"{DATA}: the splits ask for 2") for line in found)


def test_what_is_enough_is_taken(tmp_path: Path) -> None:
    source = images(tmp_path, 2000, 1000)
    (line,) = refused_with(tmp_path, {DATA: {"data": source, "val": 600}, "run": "reference"})
    assert line.startswith("run: ")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 nothing", b"\0" * 100])
def test_a_damaged_file_is_left_to_its_reader(tmp_path: Path, content: bytes) -> None:
    source = arrays(tmp_path, 10, 10)
    (tmp_path / "test.npz").write_bytes(content)
    (line,) = refused_with(tmp_path, {DATA: {"data": source, "val": 600}, "run": "reference"})
    assert line.startswith("run: ")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"name": "resnet18", "mean": [0.1, 0.2, 0.3]}, "a model's mean should hold 1 number for"),
        ({"name": "resnet18", "std": [1.0, 1.0]}, "a model's std should hold 1 number for"),
        ({"name": "torchvision:resnet18"}, "torchvision's networks take 3 channels"),
    ],
)
def test_a_model_for_other_channels(tmp_path: Path, model: Any, message: str) -> None:
    found = refused_with(tmp_path, {"models.small_cnn": model})
    assert [line for line in found if line.startswith("bases.standard.model: ") and message in line]


OTHER = {"data": {"name": "cifar10"}, "train": 9, "val": 9, "test": 9}


@pytest.mark.parametrize("place", ["evaluations.transfer", "diagnose"])
def test_a_source_of_transfer_for_other_images(tmp_path: Path, place: str) -> None:
    base = {"data": "other", "model": "small_cnn", "recipe": "standard"}
    source = {"base": "far", "seed": 100}
    found = refused_with(
        tmp_path, {"data.other": OTHER, "bases.far": base, f"{place}.source": source}
    )
    told = "'far' takes images (3, 32, 32), and 'pgd_at', which is attacked, (1, 28, 28)"
    assert f"{place}.source.base: {told}" in found
