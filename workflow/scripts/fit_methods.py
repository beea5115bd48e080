"""Closed form or gradient descent: which fits W~ and b~ better in the same time.

    python workflow/scripts/fit_methods.py --weights DIR --data DIR

The error is that of z~ with all its roundings, on images that no fit has seen; the time is the
processor's, all methods in one run on one thread, without the calibration that they share. Folders
as for post_training.py.
"""

import argparse
import copy
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import torch
from _networks import DEPTHS, read_images, read_network
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import write_csv
from nenni.method.fitting.descent import adam, descend
from nenni.method.fitting.least_squares import solve_ridge, sums_of
from nenni.method.fitting.scales import calibrate_scales
from nenni.method.injection import inject
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.report import report
from nenni.method.visit import SeenInExact

IMAGES, BATCH, EPOCHS = 1000, 125, 4
Optimiser = Callable[
    [nn.Module], tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]
]


def main() -> None:
    """Parse the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10/*.npz")
    parser.add_argument("--network", choices=DEPTHS, default="resnet20")
    parser.add_argument("--out", type=Path, default=Path("results/reference/fit_methods.csv"))
    arguments = parser.parse_args()
    runtime.keep_freed_memory()
    torch.set_num_threads(1)
    try:
        model = read_network(arguments.weights, arguments.network)
        images = read_images(arguments.data, "train")[0]
    except UserError as error:
        sys.exit(str(error))
    rows = []
    for bits in (4, 2):
        spec = nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(1 / 8), weight_bits=bits)
        for row in compare(inject(model, spec, images[:1]), images):
            rows.append({"weight_bits": bits} | row)
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    closed = table[(table["method"] == "ridge") & (table["images"] == IMAGES)]
    reference = table.merge(closed, on="weight_bits", suffixes=("", "_ridge"))
    table["time_ratio"] = (reference["seconds"] / reference["seconds_ridge"]).round(2)
    write_csv(arguments.out, table.drop(columns="seconds"))


def compare(noisy: nn.Module, images: Tensor) -> list[dict[str, object]]:
    """Rows of one setting: method, its rate, images, epochs, seconds and held-out error."""
    calibrate_scales(SeenInExact(noisy, images[:BATCH], BATCH))
    training, held_out = images[:IMAGES], images[-500:]

    def error(fitted: nn.Module) -> float:
        return float(
            report(fitted, held_out, inputs="exact", batch_size=BATCH)["relative_error"].mean()
        )

    rows: list[dict[str, object]] = []
    for count in (125, 250, 500, 1000, 2000):
        solved = copy.deepcopy(noisy)
        started = time.thread_time()
        seen = SeenInExact(solved, images[:count], BATCH)
        solve_ridge(seen, sums_of(seen), 1e-4)
        seconds = time.thread_time() - started
        rows.append(_row("ridge", 0, count, 1, seconds, error(solved)))
        if count == IMAGES:
            closed, closed_seconds = solved, seconds
    starts = [("adam", noisy, 0.0), ("ridge, then adam", closed, closed_seconds)]
    for method, start, spent in starts:
        for lr in (0.001, 0.01):
            rows += _descend(method, start, training, error, spent, lr, adam)
    for lr in (0.01, 0.1):
        rows += _descend("sgd", noisy, training, error, 0.0, lr, _sgd)
    return rows


def _descend(
    method: str,
    start: nn.Module,
    images: Tensor,
    error: Callable[[nn.Module], float],
    spent: float,
    lr: float,
    make: Callable[..., tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]],
) -> list[dict[str, object]]:
    """One row per epoch; the rate falls along a cosine over all of them."""
    noisy = copy.deepcopy(start)
    seen = SeenInExact(noisy, images, BATCH)
    optimiser, schedule = make(seen.layers.values(), lr, EPOCHS * len(images) // BATCH)
    draws = torch.Generator().manual_seed(0)
    rows = []
    for epoch in range(1, EPOCHS + 1):
        order = torch.randperm(len(images), generator=draws)
        started = time.thread_time()
        descend(seen.batches(order), optimiser, schedule)
        spent += time.thread_time() - started
        if epoch in (1, 2, 4):
            rows.append(_row(method, lr, len(images), epoch, spent, error(noisy)))
    return rows


def _sgd(
    layers: Iterable[NoisyLayer], lr: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    parameters = [p for layer in layers for p in (layer.W_tilde, layer.b_tilde)]
    optimiser = torch.optim.SGD(parameters, lr, momentum=0.9)
    return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)


def _row(
    method: str, lr: float, images: int, epochs: int, seconds: float, error: float
) -> dict[str, object]:
    row: dict[str, object] = {"method": method, "lr": lr, "images": images, "epochs": epochs}
    return row | {"seconds": seconds, "relative_error": error}


if __name__ == "__main__":
    main()
