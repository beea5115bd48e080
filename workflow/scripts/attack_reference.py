"""Robust accuracy of networks that others trained, beside what others report of them.

    python workflow/scripts/attack_reference.py --weights DIR --data DIR

Folders as for post_training.py, and ``mnist/test.npz``. Each network goes on where it was stopped.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _networks import read_images, read_lenet5, read_network, read_resnet2b
from torch import nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import write_csv


@dataclass(frozen=True)
class Reference:
    """A network, its images, and the attacks that it gets."""

    dataset: str
    images: int
    eps: float
    suite: dict[str, dict[str, Any]]


def pgd(steps: int, step: float, eps: float, **further: object) -> dict[str, Any]:
    """PGD with a step in units of the input, as other papers give it."""
    return {"name": "pgd", "steps": steps, "relative_step": step * steps / eps, **further}


REFERENCES = {
    "resnet2b": Reference(
        "cifar10", 5000, 2 / 255,
        {
            "pgd_20": pgd(20, 0.5 / 255, 2 / 255),
            "pgd_margin": pgd(
                50, 0.25 / 255, 2 / 255, loss="margin", restarts=3, leave_broken=True
            ),
            "square": {"name": "square"},
        },
    ),
    "lenet5": Reference("mnist", 1000, 0.3, {"pgd_40": pgd(40, 0.01, 0.3)}),
    "resnet20": Reference("cifar10", 5000, 8 / 255, {"pgd_20": pgd(20, 2 / 255, 8 / 255)}),
}  # fmt: skip


def network(name: str, weights: Path) -> nn.Module:
    """A network by the name of its reference."""
    read = {"resnet2b": read_resnet2b, "lenet5": read_lenet5}
    return read[name](weights) if name in read else read_network(weights, name)


def main() -> None:
    """Parse the command line and attack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10, mnist")
    parser.add_argument("--networks", nargs="+", choices=REFERENCES, default=list(REFERENCES))
    parser.add_argument("--out", type=Path, default=Path("results/reference/attacks.csv"))
    arguments = parser.parse_args()
    runtime.keep_freed_memory()
    torch.set_num_threads(1)
    tables = []
    for name in arguments.networks:
        reference = REFERENCES[name]
        try:
            model = network(name, arguments.weights)
            images, labels = read_images(arguments.data, "test", reference.dataset)
        except UserError as error:
            sys.exit(str(error))
        found = nenni.evaluate(
            model, (images, labels), reference.suite, eps=reference.eps,
            examples=reference.images, resume=Path(f".nenni/reference-{name}.pt"),
            progress=lambda line, name=name: print(f"{name}: {line}", flush=True),
        )  # fmt: skip
        print(found.summary.to_string(index=False), flush=True)
        found.summary.insert(0, "network", name)
        tables.append(found.summary)
        write_csv(arguments.out, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    main()
