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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _networks import read_images, read_lenet5, read_resnet2b
from numpy.typing import NDArray
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import write_csv
from nenni.evaluation.scoring import least

NETWORKS: dict[str, tuple[Callable[[Path], nn.Module], str, float]] = {
    "resnet2b": (read_resnet2b, "cifar10", 2 / 255),
    "lenet5": (read_lenet5, "mnist", 0.3),
}
"""Name -> how it is read, its dataset, and the L-inf radius."""
Flags = NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """A network with its images."""

    network: nn.Module
    images: Tensor
    labels: Tensor
    eps: float

    def to(self, *args: Any, **options: Any) -> "Subject":
        """The same on another device, in another type or layout."""
        images, network = self.images.to(*args, **options), deepcopy(self.network)
        labels = self.labels.to(images.device)
        return Subject(network.to(*args, **options), images, labels, self.eps)

    def flags(self, which: Tensor | slice = slice(None), batch_size: int = 250) -> Flags:
        """Robust or not under the suite, for each of some images."""
        found = nenni.evaluate(
            self.network, (self.images[which], self.labels[which]), eps=self.eps,
            batch_size=batch_size, least_only=True,
        )  # fmt: skip
        tables = [table for _, table in found.examples.groupby("attack", sort=False)]
        flags: Flags = least(tables).to_numpy()
        return flags


def changed(subject: Subject) -> dict[str, Callable[[], Flags]]:
    """What is changed -> the flags of the first images, in their order."""
    n = len(subject.images)
    turned, half = torch.arange(n - 1, -1, -1), n // 2
    calls = {
        "again": subject.flags,
        "in another order": lambda: subject.flags(turned)[::-1],
        "half of them": lambda: subject.flags(slice(half)),
        "batches of 7": lambda: subject.flags(batch_size=7),
        "batches of 1": lambda: subject.flags(batch_size=1),
        "channels last": lambda: subject.to(memory_format=torch.channels_last).flags(),
        "float64": lambda: subject.to(torch.float64).flags(),
    }
    if torch.cuda.is_available():
        calls["on a GPU"] = lambda: subject.to("cuda").flags()
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
    for name, (read, dataset, eps) in NETWORKS.items():
        try:
            network = read(arguments.weights)
            x, y = (t[: arguments.examples] for t in read_images(arguments.data, "test", dataset))
        except UserError as error:
            sys.exit(str(error))
        subject = Subject(network, x, y, eps)
        plain = subject.flags()
        for what, call in changed(subject).items():
            flags = call()
            differ = np.flatnonzero(flags != plain[: len(flags)])
            rows.append(
                {"network": name, "eps": eps, "changed": what, "n": len(flags),
                 "robust": flags.mean(), "differ": len(differ),
                 "images": " ".join(map(str, differ))}
            )  # fmt: skip
            print(*rows[-1].values(), flush=True)
            write_csv(arguments.out, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
