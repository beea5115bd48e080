"""Which images count as robust, where only what should change nothing is changed.

    python workflow/scripts/invariance.py --weights DIR --data DIR

Folders as for attack_reference.py. The suite ``standard``, the least alone, on the same images: in
batches of other sizes, in another order, fewer of them, again, stored channels-last, in float64, or
on a GPU, whose convolutions torch computes in TF32 unless it is told not to. Each row of the table
counts the images whose flag differs from that of one batch in float32, and lists them.
``--networks`` and ``--changed`` choose rows; the others stay as they are.
"""

import argparse
import sys
import warnings
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _networks import Subject, subjects
from _tables import keep
from numpy.typing import NDArray
from torch import Tensor

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError

NETWORKS = ("resnet2b", "lenet5")
CHANGES = (
    "again", "in another order", "half of them", "batches of 7", "batches of 1", "channels last",
    "float64", "on a GPU", "on a GPU, TF32",
)  # fmt: skip
Flags = NDArray[np.float64]


def to(subject: Subject, *args: Any, **options: Any) -> Subject:
    """The same on another device, in another type or layout."""
    images, network = subject.images.to(*args, **options), deepcopy(subject.network)
    labels = subject.labels.to(images.device)
    return replace(subject, network=network.to(*args, **options), images=images, labels=labels)


def flags(subject: Subject, which: Tensor | slice = slice(None), batch_size: int = 250) -> Flags:
    """Robust or not under the suite, for each of some images."""
    found = nenni.evaluate(
        subject.network, (subject.images[which], subject.labels[which]), eps=subject.eps,
        batch_size=batch_size, least_only=True,
    )  # fmt: skip
    robust: Flags = found.robust.to_numpy()
    return robust


def changed(subject: Subject, what: str) -> Flags:
    """The flags of the first images, in their order, with one thing changed."""
    n = len(subject.images)
    match what:
        case "in another order":
            return flags(subject, torch.arange(n - 1, -1, -1))[::-1]
        case "half of them":
            return flags(subject, slice(n // 2))
        case "batches of 7":
            return flags(subject, batch_size=7)
        case "batches of 1":
            return flags(subject, batch_size=1)
        case "channels last":
            return flags(to(subject, memory_format=torch.channels_last))
        case "float64":
            return flags(to(subject, torch.float64))
        case "on a GPU" | "on a GPU, TF32":
            torch.backends.cudnn.allow_tf32 = what.endswith("TF32")
            return flags(to(subject, "cuda"))
    return flags(subject)


def main() -> None:
    """Parse the command line, attack again and again, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10, mnist")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--changed", nargs="+", choices=CHANGES, help="all but a GPU, unless named")
    parser.add_argument("--examples", type=int, default=200, help="the first so many test images")
    parser.add_argument("--out", type=Path, default=Path("results/reference/invariance.csv"))
    arguments = parser.parse_args()
    runtime.prepare({"threads": 1, "device": "cpu"})
    warnings.simplefilter("ignore")
    folders, names = (arguments.weights, arguments.data), arguments.networks
    try:
        found = [*subjects(names, *folders, arguments.examples)]
    except UserError as error:
        sys.exit(str(error))
    for subject in found:
        plain = flags(subject)
        for what in arguments.changed or CHANGES[:-2]:
            other = changed(subject, what)
            differ = np.flatnonzero(other != plain[: len(other)])
            row = {
                "network": subject.name, "eps": subject.eps, "changed": what, "n": len(other),
                "robust": other.mean(), "differ": len(differ),
                "images": " ".join(map(str, differ)),
            }  # fmt: skip
            print(*row.values(), flush=True)
            keep(arguments.out, pd.DataFrame([row]), ["network", "changed"])


if __name__ == "__main__":
    main()
