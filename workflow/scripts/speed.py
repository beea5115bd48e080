"""Time and memory of injected against plain ResNet-18, beside the floor that the operations set.

    python workflow/scripts/speed.py

One thread, random images and weights. Each setting's plain and injected passes alternate in one
process, the fastest of each counts. The floor is 1 + extra multiply-accumulates / dense ones, as
hwmodel counts them where zeros of P are not skipped. Peak memory is that of a training step, in a
process of its own each, less what is there before the step. Run it with nothing else running.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hwmodel
import nenni
from hwmodel import op_count
from hwmodel.product import approximation_product, projection_product
from nenni.core import runtime
from nenni.core.io import write_csv
from nenni.cost.describe import describe
from nenni.method.fit import calibrate_scales
from nenni.method.injection import inject, noisy_layers
from nenni.method.spec import InjectionSpec
from nenni.networks.models.resnet18 import resnet18


def settings() -> dict[str, InjectionSpec]:
    """Every projection with top-k, and every selection with the cheapest projection."""
    projections = {
        "sparse": nenni.Sparse(1 / 8),
        "gaussian": nenni.Gaussian(1 / 8),
        "count_sketch": nenni.CountSketch(1 / 8),
        "tap_shared": nenni.TapShared(1 / 8),
        "tap_shared_pca": nenni.TapSharedPCA(1 / 8),
    }
    selections = {
        "threshold": nenni.Threshold(0.5),
        "n_m 2:4": nenni.NM(2, 4),
        "n_m 4:8": nenni.NM(4, 8),
        "block 16x8": nenni.Block(0.5, 16, 8),
        "channel": nenni.Channel(0.5),
        "random": nenni.Random(0.5),
        "inverted": nenni.Inverted(0.5),
        "oracle": nenni.Oracle(0.5),
    }
    found = {f"topk, {name}": InjectionSpec(nenni.TopK(0.5), p) for name, p in projections.items()}
    found["topk raw, tap_shared"] = InjectionSpec(
        nenni.TopK(0.5), projections["tap_shared"], normalise=False
    )
    found["topk, sparse, no rounding"] = InjectionSpec(
        nenni.TopK(0.5), projections["sparse"], 32, 32, 32
    )
    for name, selection in selections.items():
        found[f"{name}, tap_shared"] = InjectionSpec(selection, projections["tap_shared"])
    return found


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--settings", nargs="+", choices=settings(), default=list(settings()))
    parser.add_argument("--out", type=Path, default=Path("results/reference/speed.csv"))
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory_of is not None:
        print(json.dumps(peak_memory(arguments.memory_of, arguments.batch)))
        return
    runtime.keep_freed_memory()
    plain_memory = _memory_in_own_process("plain", arguments.batch)
    rows = []
    for name in arguments.settings:
        model, noisy, images, labels = networks(name, arguments.batch)
        least = floor(noisy, images)
        row: dict[str, object] = {"setting": name, "floor": round(least, 3)}
        for step in (forward, training_step, pgd_step):
            plain, injected = alternate(step, model, noisy, images, labels, arguments.repeats)
            row[step.__name__] = round(injected / plain, 3)
            row[f"{step.__name__}_of_floor"] = round(injected / plain / least, 3)
        memory = _memory_in_own_process(name, arguments.batch)
        row["memory"] = round(memory / plain_memory, 2)
        rows.append(row)
        print(row, flush=True)
        write_csv(arguments.out, pd.DataFrame(rows))


def networks(name: str, batch: int) -> tuple[nn.Module, nn.Module, Tensor, Tensor]:
    """Plain and injected network with random weights, and a random batch."""
    torch.manual_seed(0)
    images, labels = torch.rand(batch, 3, 32, 32), torch.randint(10, (batch,))
    model = resnet18((3, 32, 32), 10).eval()
    noisy = inject(model, settings()[name], images[:1])
    calibrate_scales(noisy, images[:16])
    for _, layer in noisy_layers(noisy):
        nn.init.normal_(layer.W_tilde, std=0.05)
        nn.init.normal_(layer.b_tilde)
    return model, noisy, images, labels


def floor(noisy: nn.Module, images: Tensor) -> float:
    """Time at least, in units of the plain network's, if time went with multiply-accumulates.

    The projection as a matrix and the approximation, or W~ P as one matrix where that is less and
    nothing is rounded between; comparisons, roundings and memory count nothing.
    """
    found = describe(noisy, images[:2], name="resnet18")
    network = hwmodel.Network.model_validate_json(json.dumps(found))
    composed = {name: layer.composes for name, layer in noisy_layers(noisy)}
    dense = extra = 0.0
    for layer in network.layers:
        macs = op_count.dense_macs(layer)
        dense += macs
        if layer.injection is not None:
            apart = projection_product(layer, layer.injection).macs
            apart += approximation_product(layer, layer.injection).macs
            extra += macs if composed[layer.name] else apart
    return 1 + extra / dense


def forward(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Classify a batch."""
    model.eval()
    with torch.no_grad():
        model(images)


def training_step(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Forward and backward for all parameters, in train mode."""
    model.train()
    F.cross_entropy(model(images), labels).backward()
    for parameter in model.parameters():
        parameter.grad = None


def pgd_step(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Forward and the gradient for the images alone, in eval mode."""
    model.eval().requires_grad_(False)
    inputs = images.clone().requires_grad_()
    torch.autograd.grad(F.cross_entropy(model(inputs), labels, reduction="sum"), inputs)
    model.requires_grad_(True)


def alternate(
    step: Callable[[nn.Module, Tensor, Tensor], None],
    plain: nn.Module,
    noisy: nn.Module,
    images: Tensor,
    labels: Tensor,
    repeats: int,
) -> tuple[float, float]:
    """Fastest time of a step of each network, after one that does not count."""
    best = [float("inf"), float("inf")]
    for repeat in range(repeats + 1):
        for i, model in enumerate((plain, noisy)):
            started = time.thread_time()
            step(model, images, labels)
            if repeat:
                best[i] = min(best[i], time.thread_time() - started)
    return best[0], best[1]


def peak_memory(name: str, batch: int) -> float:
    """MiB that a training step adds at its peak."""
    first = next(iter(settings())) if name == "plain" else name
    model, noisy, images, labels = networks(first, batch)
    network = model if name == "plain" else noisy
    training_step(network, images[:2], labels[:2])
    before = _peak_kib()
    training_step(network, images, labels)
    return (_peak_kib() - before) / 1024


def _peak_kib() -> int:
    """Largest resident set so far; Linux's own, since getrusage's counts the parent process's."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmHWM: memory is measured on Linux alone")


def _memory_in_own_process(name: str, batch: int) -> float:
    command = [sys.executable, __file__, "--memory-of", name, "--batch", str(batch)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


if __name__ == "__main__":
    main()
