"""Labels are those that a person sees in the folder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nenni.core.errors import UserError
from nenni.data.class_folders import in_order, list_images


def image(*parts: str | Path) -> Path:
    file = Path(*parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(file, "PNG")
    return file


@pytest.mark.parametrize(
    "beside",
    [".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/a.png", "@eaDir/a.png", ".git/x/a.png"],
)
@pytest.mark.parametrize("inside", ["", "cat"])
def test_what_programs_left_behind_is_no_class(beside: str, inside: str, tmp_path: Path) -> None:
    cat, dog = image(tmp_path, "cat", "1.png"), image(tmp_path, "dog", "1.png")
    image(tmp_path, "dog", "._1.png")
    image(tmp_path, inside, beside)
    found = list_images(tmp_path)
    assert found.classes == ["cat", "dog"]
    assert found.files == [(cat, 0), (dog, 1)]
    assert found.notes[0].startswith("left out: ")
    assert found.notes[0].endswith(" and 1 more")


def test_numbers_are_in_their_order(tmp_path: Path) -> None:
    for i in range(12):
        image(tmp_path, str(i), "x.png")
    assert [label for _, label in list_images(tmp_path).files] == list(range(12))
    assert list_images(tmp_path).classes == [str(i) for i in range(12)]
    assert in_order(["10", "9", "n02"]) == ["10", "9", "n02"], "one that is none: alphabetical"
    assert in_order(["010", "9"]) == ["9", "010"]


def test_links_are_followed_and_none_forever(tmp_path: Path) -> None:
    image(tmp_path, "elsewhere", "deep", "1.png")
    image(tmp_path, "set", "dog", "1.png")
    (tmp_path / "set" / "cat").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "dog" / "more").symlink_to(tmp_path / "elsewhere" / "deep")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "elsewhere")
    names = [
        file.relative_to(tmp_path).as_posix() for file, _ in list_images(tmp_path / "set").files
    ]
    assert names == ["set/cat/deep/1.png", "set/dog/1.png", "set/dog/more/1.png"]


def test_a_folder_of_hidden_images_alone_is_empty(tmp_path: Path) -> None:
    image(tmp_path, "cat", ".1.png")
    with pytest.raises(UserError, match="cat: holds no images"):
        list_images(tmp_path)


@pytest.mark.parametrize("beside", ["dog/1.gif", "dog/deep/1.JP2", "1.png", "1.heic"])
def test_pictures_that_are_not_taken_are_told(beside: str, tmp_path: Path) -> None:
    for name in ("cat/1.png", "dog/1.png", beside, "labels.txt"):
        image(tmp_path, name)
    found = list_images(tmp_path)
    assert [label for _, label in found.files] == [0, 1]
    assert found.notes == [f"left out: {tmp_path / beside}"]


@pytest.mark.parametrize("parts", [["train"], ["train", "val"], ["Training", "test", "validation"]])
def test_parts_of_a_data_set_are_no_classes(parts: list[str], tmp_path: Path) -> None:
    for part in parts:
        image(tmp_path, part, "cat", "1.png")
        image(tmp_path, part, "dog", "1.png")
    with pytest.raises(
        UserError, match=f"are parts of a data set and no classes; name .*{parts[0]}"
    ):
        list_images(tmp_path)
    assert list_images(tmp_path / parts[0]).classes == ["cat", "dog"]


def test_a_class_may_be_named_as_a_part(tmp_path: Path) -> None:
    for name in ("test/1.png", "train/1.png"):
        image(tmp_path, name)
    assert list_images(tmp_path).classes == ["test", "train"], "images, and no folders"
    image(tmp_path, "tram", "red", "1.png")
    assert list_images(tmp_path).classes == ["test", "train", "tram"]
