"""Datasets as files: images or the names of their files, labels and the split."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.core.io import read_tensors, write_tensors
from nenni.core.seeding import generator
from nenni.data.dataset import Pool, PublishedData, counts, same_size
from nenni.data.sizes import SPLITS, Split, split_sizes
from nenni.data.split import Images, InFiles, InMemory

_END = b"\0"
"""Between names of files, none of which has it."""


def decode(
    source: dict[str, Any], sizes: Mapping[Split, int | None], seed: int
) -> tuple[dict[str, Tensor], dict[str, Any], str]:
    """Load a dataset plugin and split it: tensors and metadata for a data file, and what was found.

    Test images are the published ones where there are some. Whatever is not published is held out
    of the training images at random, and never overlaps them. The indices of a split are in random
    order, so that its first n are a random sample too.

    Parameters
    ----------
    source : dict
        Config of the plugin.
    sizes : dict
        Images of each split; None is all that are left.
    seed : int
        Root of the random order.

    Raises
    ------
    UserError
        If the splits ask for more images than there are, there are labels beyond the classes, or
        the images of two parts differ in size.
    """
    found: PublishedData = plugins.load("data", source["name"])(**plugins.arguments(source))
    pools = found.pools
    same_size({f"{name} of data {source['name']}": pool for name, pool in pools.items()})
    for name, pool in pools.items():
        if (largest := int(pool.labels.max())) >= found.n_classes:
            raise UserError(
                f"data {source['name']}: labels of {name} go up to {largest}, and there are "
                f"{found.n_classes} classes"
            )
    offsets = dict(zip(pools, np.cumsum([0, *map(len, pools.values())]), strict=False))
    tensors: dict[str, Tensor] = {}
    try:
        parts = split_sizes({name: len(pool) for name, pool in pools.items()}, sizes)
    except UserError as error:
        raise UserError(f"data {source['name']}: {error}") from None
    for name, pool in pools.items():
        held_out = [s for s in SPLITS if s == name or (name == "train" and s not in pools)]
        purpose = ("split",) if name == "train" else ("split", name)
        order = torch.randperm(len(pool), generator=generator(seed, *purpose)) + int(offsets[name])
        counted = [parts[split] for split in held_out]
        left = len(pool) - sum(counted)
        tensors |= dict(zip(held_out, order.split([*counted, left]), strict=False))
    tensors |= {"labels": torch.from_numpy(np.concatenate([p.labels for p in pools.values()]))}
    tensors |= _pixels_or_files(list(pools.values()))
    told = [counts(pool.labels, found.classes or found.n_classes) for pool in pools.values()]
    said = "; ".join([*map("{}: {}".format, pools, told), *found.notes])
    meta: dict[str, Any] = {"n_classes": found.n_classes}
    if "images" in tensors:
        return tensors, meta | {"input_shape": [*tensors["images"].shape[1:]]}, said
    shape = [3, found.size, found.size]
    return tensors, meta | {"input_shape": shape, "workers": found.workers}, said


def save_data(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write a data file."""
    write_tensors(path, tensors, meta)


def load_data(
    path: Path, splits: tuple[Split, ...], device: torch.device | str = "cpu"
) -> tuple[dict[str, Images], dict[str, Any]]:
    """The images of some splits, whose batches come on a device, and the metadata."""
    tensors, meta = read_tensors(path)
    if "files" in tensors:
        names = bytes(tensors["files"].numpy()).split(_END)
        files = [Path(os.fsdecode(name)) for name in names]
        return {
            split: InFiles(
                [files[i] for i in tensors[split].tolist()],
                tensors["labels"][tensors[split]].to(device),
                meta["input_shape"][-1],
                meta["workers"],
            )
            for split in splits
        }, meta
    pixels = tensors["images"].to(device)
    return {
        split: InMemory(pixels, tensors["labels"][rows].to(device), rows.to(device))
        for split, rows in ((split, tensors[split]) for split in splits)
    }, meta


def _pixels_or_files(pools: Sequence[Pool]) -> dict[str, Tensor]:
    arrays = [pool.images for pool in pools if isinstance(pool.images, np.ndarray)]
    if arrays:
        return {"images": torch.from_numpy(np.concatenate(arrays))}
    names = _END.join(os.fsencode(file) for pool in pools for file in pool.images)
    return {"files": torch.frombuffer(bytearray(names), dtype=torch.uint8)}
