"""Which images count as robust, where only what should change nothing is changed.

    python workflow/scripts/invariance.py --weights DIR --data DIR

Folders as for attack_reference.py. The suite ``standard``, the least alone, on the same images: in
batches of other sizes, in another order, fewer of them, again, stored channels-last, in float64
and, where there is one, on a GPU. Each row of the table counts the images whose flag differs from
that of one batch in float32, and lists them.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _networks import Subject, subjects
from numpy.typing import NDArray
from torch import Tensor

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import write_csv

NETWORKS = ("resnet2b", "lenet5")
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


def changed(subject: Subject) -> dict[str, Callable[[], Flags]]:
    """What is changed -> the flags of the first images, in their order."""
    n = len(subject.images)
    turned, half = torch.arange(n - 1, -1, -1), n // 2
    calls = {
        "again": lambda: flags(subject),
        "in another order": lambda: flags(subject, turned)[::-1],
        "half of them": lambda: flags(subject, slice(half)),
        "batches of 7": lambda: flags(subject, batch_size=7),
        "batches of 1": lambda: flags(subject, batch_size=1),
        "channels last": lambda: flags(to(subject, memory_format=torch.channels_last)),
        "float64": lambda: flags(to(subject, torch.float64)),
    }
    if torch.cuda.is_available():
        calls["on a GPU"] = lambda: flags(to(subject, "cuda"))
    return calls


def main() -> None:
    """Parse the command line, attack again and again, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10, mnist")
    parser.add_argument("--examples", type=int, default=200, help="the first so many test images")
    parser.add_argument("--out", type=Path, default=Path("results/reference/invariance.csv"))
    arguments = parser.parse_args()
    runtime.prepare({"threads": 1, "device": "cpu"})
    warnings.simplefilter("ignore")
    rows: list[Any] = []
    try:
        found = [*subjects(NETWORKS, arguments.weights, arguments.data, arguments.examples)]
    except UserError as error:
        sys.exit(str(error))
    for subject in found:
        plain = flags(subject)
        for what, call in changed(subject).items():
            other = call()
            differ = np.flatnonzero(other != plain[: len(other)])
            rows.append(
                {"network": subject.name, "eps": subject.eps, "changed": what, "n": len(other),
                 "robust": other.mean(), "differ": len(differ),
                 "images": " ".join(map(str, differ))}
            )  # fmt: skip
            print(*rows[-1].values(), flush=True)
            write_csv(arguments.out, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
