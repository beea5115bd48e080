"""Seconds per image of ``nenni.evaluate`` and ``nenni.diagnose``, and where they go.

    python workflow/scripts/evaluation_speed.py --weights DIR --data DIR

Folders as for attack_reference.py. One thread; the networks and calls follow one another, with
nothing else running. Beside the seconds stands how many times the limit they are: as many forward
passes and input gradients of the plain network as were spent. What diagnose did is not taken over
here, so that each call is seen alone.
"""

import argparse
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _networks import Subject, subjects
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import write_csv
from nenni.evaluation.scoring import WORST

NETWORKS = ("lenet5", "resnet2b", "resnet20")


class Stopwatch:
    """Seconds of each attack, from the lines of progress that name it when it is done."""

    def __init__(self) -> None:
        self.begun = self.last = time.perf_counter()
        self.parts: dict[str, float] = {}

    def __call__(self, line: str) -> None:
        """Take the time since the line before."""
        now, name = time.perf_counter(), re.split("[,:]", line)[0]
        if not line.startswith("batch"):
            self.parts[name] = self.parts.get(name, 0.0) + now - self.last
        self.last = now

    def stop(self) -> dict[str, float]:
        """Seconds of the whole call, and of its parts."""
        return {"all": time.perf_counter() - self.begun, **self.parts}


def of_one_pass(network: nn.Module, images: Tensor) -> tuple[float, float]:
    """Seconds of a forward pass and of an input gradient beyond it, per image: the fastest."""
    forward, both = [], []
    for _ in range(5):
        begun = time.perf_counter()
        with torch.no_grad():
            network(images)
        forward.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        x = images.clone().requires_grad_()
        torch.autograd.grad(network(x).sum(), x)
        both.append(time.perf_counter() - begun)
    return min(forward) / len(images), (min(both) - min(forward)) / len(images)


def measure(subject: Subject) -> list[Any]:
    """A row for each call, and for each attack of it."""
    network, images, eps = subject.network.requires_grad_(False), subject.images, subject.eps
    data, (forward, backward) = (images, subject.labels), of_one_pass(network, images)
    rows = []

    def note(call: str, seconds: dict[str, float], spent: pd.DataFrame | None = None) -> None:
        for part, took in seconds.items():
            row = {
                "network": subject.name, "eps": eps, "n": len(images), "call": call, "part": part,
                "seconds_per_image": took / len(images),
            }  # fmt: skip
            if spent is not None:
                there, back = spent.loc[WORST if part == "all" else part]
                limit = there * forward + back * backward
                row |= {"forwards_per_image": there, "backwards_per_image": back}
                row |= {"over_limit": row["seconds_per_image"] / limit if limit else None}
            rows.append(row)

    for call, least_only in (("evaluate", False), ("evaluate, the least alone", True)):
        watch = Stopwatch()
        found = nenni.evaluate(network, data, eps=eps, least_only=least_only, progress=watch)
        note(call, watch.stop(), found.summary.set_index("attack")[["forwards", "backwards"]])
    watch = Stopwatch()
    nenni.diagnose(network, data, eps=eps, progress=watch)
    note("diagnose", watch.stop())
    return rows


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10, mnist")
    parser.add_argument("--examples", type=int, default=100, help="the first so many test images")
    parser.add_argument("--out", type=Path, default=Path("results/reference/evaluation_speed.csv"))
    arguments = parser.parse_args()
    runtime.prepare({"threads": 1, "device": "cpu"})
    warnings.simplefilter("ignore")
    rows: list[Any] = []
    try:
        found = [*subjects(NETWORKS, arguments.weights, arguments.data, arguments.examples)]
    except UserError as error:
        sys.exit(str(error))
    for subject in found:
        rows += measure(subject)
        write_csv(arguments.out, pd.DataFrame(rows))
        print(pd.DataFrame(rows).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
