"""Decoded datasets as files: images, labels and the split, with a checksum of what was decoded."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from nenni import plugins
from nenni.errors import UserError
from nenni.io import read_tensors, write_tensors
from nenni.seeding import generator

Split = Literal["train", "val", "test"]


def decode(
    source: dict[str, Any], sizes: dict[Split, int], seed: int
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Load a dataset plugin and split it at random: tensors and metadata for a data file.

    The indices of a split stay in random order, so that its first n are a random sample too.

    Raises
    ------
    UserError
        If the splits ask for more images than there are.
    """
    images, labels = plugins.load("data", source["name"])(**plugins.arguments(source))
    if sum(sizes.values()) > len(images):
        raise UserError(
            f"data {source['name']}: the splits ask for {sum(sizes.values())} images of "
            f"{len(images)}; lower train, val or test"
        )
    order = torch.randperm(len(images), generator=generator(seed, "split"))
    tensors = {"images": torch.from_numpy(images), "labels": torch.from_numpy(labels)}
    parts = order.split([*sizes.values(), len(images) - sum(sizes.values())])
    tensors |= dict(zip(sizes, parts, strict=False))
    meta = {"n_classes": int(np.max(labels)) + 1, "input_shape": list(images.shape[1:])}
    return tensors, meta


def save_data(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write a data file."""
    write_tensors(path, tensors, meta)


def load_data(
    path: Path, splits: tuple[Split, ...], device: torch.device | str = "cpu"
) -> tuple[dict[str, tuple[Tensor, Tensor]], dict[str, Any]]:
    """Images (N, C, H, W) in [0, 1] and labels (N,) of some splits, and the metadata."""
    tensors, meta = read_tensors(path)
    return {
        split: (
            tensors["images"][tensors[split]].to(device).float() / 255,
            tensors["labels"][tensors[split]].to(device),
        )
        for split in splits
    }, meta
