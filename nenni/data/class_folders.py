"""Folders of images, one per class."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nenni.core.errors import UserError
from nenni.data.image_file import EXTENSIONS

_BY_OTHER_PROGRAMS = ("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN")
"""Folders that systems make beside a person's own; so are all that begin with a point."""

_OTHER_PICTURES = (
    ".avif", ".dcm", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2", ".jpe", ".jxl", ".tga",
)  # fmt: skip
"""Files that people take for images, and that are not read."""
_PARTS = ("dev", "test", "testing", "train", "training", "val", "valid", "validation")
"""Names of folders that hold classes, and are none."""


@dataclass(frozen=True)
class ClassFolders:
    """The images below a folder.

    Attributes
    ----------
    classes : list of str
        Names of the subfolders in the order of their labels: alphabetical, or, if all are whole
        numbers, by these.
    files : list of (Path, int)
        Images with their labels, class by class, in alphabetical order.
    left_out : list of Path
        What was taken for no class or image of anybody: hidden files and folders, those that
        systems make, pictures of formats that are not read, and images beside the subfolders.
    """

    classes: list[str]
    files: list[tuple[Path, int]]
    left_out: list[Path]

    @property
    def notes(self) -> list[str]:
        """What should be known of them, in words."""
        if not self.left_out:
            return []
        n, first = len(self.left_out), self.left_out[0]
        return [f"left out: {first}" + (f" and {n - 1} more" if n > 1 else "")]


def list_images(folder: Path) -> ClassFolders:
    """The subfolders of a folder, and the images below each, links followed.

    Raises
    ------
    UserError
        If the folder is missing, cannot be read or has no subfolders, or one has no images; or if
        its subfolders are parts of a data set, such as train and test, with classes of their own.
    """
    try:
        return _list_images(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error})") from error


def count_images(folder: Path, enough: int) -> int:
    """Number of images below a folder's subfolders, counted no further than told."""
    inner = (path for path in folder.iterdir() if path.is_dir() and not _not_a_persons(path.name))
    images = (image for path in inner for image in _below(path, [], set()))
    return sum(1 for _ in islice(images, enough))


def _list_images(folder: Path) -> ClassFolders:
    if not folder.is_dir():
        raise UserError(f"{folder}: should be a folder with one subfolder of images per class")
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    hidden = [path for path in inner if _not_a_persons(path.name)]
    left_out = [*hidden, *(path for path in sorted(folder.iterdir()) if _is_picture(path))]
    classes = in_order([path.name for path in inner if path not in hidden])
    files: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        found = sorted(_below(folder / name, left_out, set()))
        if not found:
            raise UserError(f"{folder / name}: holds no images")
        files += [(file, label) for file in found]
    if not files:
        raise UserError(f"{folder}: holds no images in subfolders, one per class")
    deeper = all(file.parent != folder / classes[label] for file, label in files)
    if deeper and all(name.lower() in _PARTS for name in classes):
        raise UserError(
            f"{folder}: holds {', '.join(classes)}, which are parts of a data set and no classes; "
            f"name {folder / classes[0]} or another of them"
        )
    return ClassFolders(classes, files, left_out)


def in_order(names: Sequence[str]) -> list[str]:
    """Names in the order of their labels: if all are whole numbers, by these."""
    if all(name.isascii() and name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _below(folder: Path, left_out: list[Path], above: set[str]) -> Iterator[Path]:
    """Images in a folder and in those below it; a link to one that it lies in is no folder."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for path in folder.iterdir():
        image = path.suffix.lower() in EXTENSIONS
        if _not_a_persons(path.name):
            left_out += [path] if image or path.is_dir() else []
        elif path.is_dir():
            yield from _below(path, left_out, above | {here})
        elif image:
            yield path
        elif _is_picture(path):
            left_out.append(path)


def _is_picture(path: Path) -> bool:
    """Whether a file is named as an image, also of a format that is not read."""
    named = path.suffix.lower() in (*EXTENSIONS, *_OTHER_PICTURES)
    return named and not path.name.startswith(".") and not path.is_dir()


def _not_a_persons(name: str) -> bool:
    return name.startswith(".") or name in _BY_OTHER_PROGRAMS
