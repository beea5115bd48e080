"""How many images a dataset has and each split gets, as far as it is known without decoding."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.core.plugins import Ref

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


def known_sizes(source: Ref, enough: int) -> dict[str, int] | None:
    """Images of each part that a dataset's publishers made; None where only decoding tells.

    Its plugin declares them, ``PUBLISHED = {"train": 50_000, "test": 10_000}``; or which arrays of
    npz files hold the labels, ``LABELS = {"train": ("train", "y")}``, parameter and array; or which
    parameters are folders with one subfolder of images per class, ``FOLDERS = {"train": "train"}``.

    Parameters
    ----------
    source : dict
        A checked config of a dataset.
    enough : int
        Images of a folder are counted no further.
    """

    def declared(constant: str) -> dict[str, Any]:
        found: dict[str, Any] = plugins.constant("data", source["name"], constant, {})
        return found

    sizes: dict[str, int | None] = dict(declared("PUBLISHED"))
    for part, (key, array) in declared("LABELS").items():
        if source[key] is not None:
            sizes[part] = _length(Path(source[key]), array)
    for part, key in declared("FOLDERS").items():
        if source[key] is not None:
            sizes[part] = _counted(Path(source[key]), enough)
    known = {part: n for part, n in sizes.items() if n is not None}
    return known if known and len(known) == len(sizes) else None


def split_sizes(pools: Mapping[str, int], asked: Mapping[Split, int | None]) -> dict[Split, int]:
    """Images of each split: as asked, or all that are left.

    What is not published is held out of the training images.

    Parameters
    ----------
    pools : dict
        Published part, "train" among them -> number of its images.
    asked : dict
        Split -> number of images; None is all that are left.

    Raises
    ------
    UserError
        If the splits ask for more images than there are, or nothing is left for one.
    """
    found: dict[Split, int] = {}
    for pool, n in pools.items():
        held_out = [s for s in SPLITS if s == pool or (pool == "train" and s not in pools)]
        found |= _shared({split: asked[split] for split in held_out}, n)
    return found


def _shared(asked: Mapping[Split, int | None], n: int) -> dict[Split, int]:
    total = sum(size or 0 for size in asked.values())
    rest = [split for split, size in asked.items() if size is None]
    if len(rest) > 1:
        raise UserError(
            f"{' and '.join(rest)} come from the same images; say how many for all but one of them"
        )
    if total > n or (rest and total == n):
        raise UserError(
            f"the splits ask for {total} images{' and the rest' if rest else ''} of "
            f"{n}; lower {', '.join(split for split, size in asked.items() if size)}"
        )
    return {split: n - total if size is None else size for split, size in asked.items()}


def _counted(folder: Path, enough: int) -> int | None:
    """Images in the subfolders of a folder, counted so far; None where it cannot be read."""
    from nenni.data.class_folders import count_images  # what reads images loads slowly

    try:
        return count_images(folder, enough)
    except OSError:
        return None


def _length(file: Path, array: str) -> int | None:
    """Length of an array of an npz file, by its header; None where it cannot be read."""
    from numpy.lib import format as npy  # what reads arrays loads slowly

    try:
        with zipfile.ZipFile(file) as arrays, arrays.open(f"{array}.npy") as stored:
            is_first = npy.read_magic(stored) == (1, 0)
            read = npy.read_array_header_1_0 if is_first else npy.read_array_header_2_0
            return int(read(stored)[0][0])
    except Exception:  # whoever reads the file says what is wrong with it
        return None
