"""Time and memory of injected against plain networks, beside the floor that the operations set.

    python workflow/scripts/speed.py                       # one CPU thread
    python workflow/scripts/speed.py --device cuda --networks resnet18 --batch 128
    python workflow/scripts/speed.py --parts               # where a forward pass goes, on a CPU
    python workflow/scripts/speed.py --count               # launches and bytes, of no device

Random images and weights, channels last, as trainings and attacks have them. Passes are eager, by
CUDA graphs (--passes graphs) or by torch.compile, on a GPU with graphs too (--passes compiled).
Each setting's plain and injected passes alternate in one process, the fastest of each counts: CPU
time of one thread, or on a GPU the time until it has finished. The floor is 1 + extra
multiply-accumulates / dense ones, as hwmodel counts them where zeros of P are not skipped. Peak
memory is that of a training step less what is there before it: on a CPU of a process of its own,
which gives back at once what it frees, on a GPU of eager passes. Rows of another device, network
or setting in the table stay. Run it with nothing else running.

``--count`` runs the steps on torch's meta device, which computes nothing, and counts what an eager
GPU would be asked for: operations that touch memory, and the bytes that they read and write.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import product
from math import prod
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import torch
import torch.nn.functional as F
from _machine import device_name
from _tables import keep
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import hwmodel
import nenni
from hwmodel import op_count
from hwmodel.product import approximation_product, projection_product
from nenni.adversary.gradient import frozen
from nenni.core import runtime
from nenni.core.io import write_csv
from nenni.cost.describe import describe
from nenni.method import noisy_layer
from nenni.method.fitting.scales import calibrate_scales
from nenni.method.injection import inject, noisy_layers
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.spec import InjectionSpec
from nenni.method.visit import SeenInExact
from nenni.networks.compiled import compiled
from nenni.networks.models.resnet18 import resnet18
from nenni.networks.models.small_cnn import small_cnn
from nenni.networks.replayed import replayed

TABLES = Path(__file__).parents[2] / "results" / "reference"
PROJECTIONS = {
    "sparse": nenni.Sparse(1 / 8),
    "Gaussian": nenni.Gaussian(1 / 8),
    "count sketch": nenni.CountSketch(1 / 8),
    "shared taps": nenni.TapShared(1 / 8),
    "shared taps, learned": nenni.TapSharedPCA(1 / 8),
}
SELECTIONS = {
    "top-k": nenni.TopK(0.5),
    "threshold": nenni.Threshold(0.5),
    "2:4": nenni.NM(2, 4),
    "blocks 16x8": nenni.Block(0.5, 16, 8),
    "channels": nenni.Channel(0.5),
    "random": nenni.Random(0.5),
    "inverted": nenni.Inverted(0.5),
    "oracle": nenni.Oracle(0.5),
}
SETTINGS = {
    **{
        f"{selection}, {projection}": InjectionSpec(SELECTIONS[selection], PROJECTIONS[projection])
        for selection, projection in product(SELECTIONS, PROJECTIONS)
    },
    "top-k on raw scores, shared taps": InjectionSpec(
        SELECTIONS["top-k"], PROJECTIONS["shared taps"], normalise=False
    ),
    "top-k, sparse, no rounding": InjectionSpec(
        SELECTIONS["top-k"], PROJECTIONS["sparse"], 32, 32, 32
    ),
}
NETWORKS: dict[str, tuple[Callable[..., nn.Module], tuple[int, int, int], int]] = {
    "small_cnn": (small_cnn, (1, 28, 28), 512),
    "resnet18": (resnet18, (3, 32, 32), 16),
}
"""Name -> what builds it, shape of its images, and how many at once unless --batch says so."""
_FIRST = 4
"""Steps in which what is compiled or captured once is."""
_LARGER = 4
"""Times the batch in which memory is measured, so that a batch outweighs the weights."""
PASSES = ("eager", "graphs", "compiled")
OF = ["device", "passes", "precision", "network", "setting"]
_VIEWS = ("view", "reshape", "expand", "permute", "transpose", "slice", "select", "t.default")
_VIEWS = (*_VIEWS, "detach", "alias", "split", "unbind", "squeeze", "as_strided", "empty", "un")


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument(
        "--settings",
        nargs="+",
        choices=SETTINGS,
        default=list(SETTINGS),
        metavar="SETTING",
        help="such as '2:4, sparse' (all)",
    )
    parser.add_argument("--batch", type=int, help="images at once (512 small, 16 at 32 x 32)")
    parser.add_argument("--seconds", type=float, default=4, help="at least, of pairs of steps")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="of training")
    parser.add_argument("--passes", choices=PASSES, default="eager", help="of both networks")
    parser.add_argument("--count", action="store_true", help="launches and bytes, measure nothing")
    parser.add_argument("--parts", action="store_true", help="where the time of a pass goes")
    parser.add_argument("--out", type=Path, help="default: a table in results/reference")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.memory_of is not None:
        torch.set_num_threads(1)
        print(json.dumps(cpu_memory(asked.networks[0], asked.memory_of, asked.batch)))
        return
    device = runtime.prepare({"threads": 1, "device": asked.device})
    if asked.count:
        found = [counts(n, s, asked.batch) for n in asked.networks for s in asked.settings]
        write_csv(asked.out or TABLES / "launches.csv", pd.DataFrame(found))
        return
    if asked.parts:
        spent = [row for n in asked.networks for s in asked.settings for row in parts(n, s, asked)]
        keep(asked.out or TABLES / "speed_parts.csv", pd.DataFrame(spent), OF[-2:])
        return
    for network in asked.networks:
        plain = (
            memory_in_own_process(network, "plain", asked.batch) if device.type == "cpu" else None
        )
        for setting in asked.settings:
            row = measured(network, setting, asked, device, plain)
            print(row, flush=True)
            keep(asked.out or TABLES / "speed.csv", pd.DataFrame([row]), OF)


def measured(
    network: str, setting: str, asked: argparse.Namespace, device: torch.device, plain: float | None
) -> dict[str, object]:
    """Ratios of one setting, to the plain network and to the floor; `plain` is its memory."""
    torch._dynamo.reset()
    model, noisy, images, labels = networks(network, setting, asked.batch)
    least = floor(network, noisy, images)
    model, noisy, images, labels = (part.to(device) for part in (model, noisy, images, labels))
    row: dict[str, object] = {
        "device": device_name(device), "passes": asked.passes, "precision": asked.precision,
        "network": network, "setting": setting, "batch": len(images), "floor": round(least, 3),
    }  # fmt: skip
    low = asked.precision == "bf16"
    for step in (forward, training_step, pgd_step):
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=low)
        with ExitStack() as within:
            if step is training_step:
                within.enter_context(autocast)
            for each in (model, noisy):
                within.enter_context(compiled(each, device, wanted=asked.passes == "compiled"))
                if asked.passes != "eager":
                    within.enter_context(replayed(each, device))
                if step is pgd_step:
                    within.enter_context(frozen(each.eval()))
            seconds = alternate(step, [model, noisy], images, labels, asked.seconds)
        row[step.__name__] = round(seconds[1] / seconds[0], 3)
        row[f"{step.__name__}_of_floor"] = round(seconds[1] / seconds[0] / least, 3)
        row[f"plain_{step.__name__}_ms"] = round(1000 * seconds[0], 2)
    if plain is not None:
        row["memory"] = round(memory_in_own_process(network, setting, asked.batch) / plain, 2)
    else:
        peaks = [gpu_memory(m, images, labels) for m in (model, noisy)]
        row["memory"] = round(peaks[1] / peaks[0], 2)
    return row


def networks(
    name: str, setting: str, batch: int | None
) -> tuple[nn.Module, nn.Module, Tensor, Tensor]:
    """Plain and injected network with random weights, and a random batch."""
    torch.manual_seed(0)
    build, shape, usual = NETWORKS[name]
    batch = usual if batch is None else batch
    images, labels = torch.rand(batch, *shape), torch.randint(10, (batch,))
    model = build(shape, 10).eval()
    noisy = inject(model, SETTINGS[setting], images[:1])
    calibrate_scales(SeenInExact(noisy, images[:16], 16))
    for _, layer in noisy_layers(noisy):
        nn.init.normal_(layer.W_tilde, std=0.05)
        nn.init.normal_(layer.b_tilde)
    last = torch.channels_last
    model, noisy = (network.to(memory_format=last) for network in (model, noisy))
    return model, noisy, images.contiguous(memory_format=last), labels


def floor(name: str, noisy: nn.Module, images: Tensor) -> float:
    """Time at least, in units of the plain network's, if time went with multiply-accumulates.

    The projection as a matrix and the approximation, or W~ P as one matrix where that is less and
    nothing is rounded between; comparisons, roundings and memory count nothing.
    """
    found = describe(noisy, images[:2], name=name)
    network = hwmodel.Network.model_validate_json(json.dumps(found))
    composed = {each: layer.composes for each, layer in noisy_layers(noisy)}
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
    """Forward and the gradient for the images alone, of a network that is frozen."""
    inputs = images.clone().requires_grad_()
    torch.autograd.grad(F.cross_entropy(model(inputs), labels, reduction="sum"), inputs)


def alternate(
    step: Callable[[nn.Module, Tensor, Tensor], None],
    models: list[Any],
    images: Tensor,
    labels: Tensor,
    seconds: float,
) -> list[float]:
    """Fastest time of a step of each network, of three or more after four that do not count.

    Each step is timed after one of the same network, as in a training or an attack: the other
    network's step before it would have taken the caches.
    """
    times: list[list[float]] = [[] for _ in models]
    clock = time.perf_counter if images.is_cuda else time.thread_time
    while len(times[-1]) < _FIRST + 3 or sum(map(sum, times)) < seconds:
        for model, found in zip(models, times, strict=True):
            step(model, images, labels)
            _wait(images)
            started = clock()
            step(model, images, labels)
            _wait(images)
            found.append(clock() - started)
    return [min(found[_FIRST:]) for found in times]


def _wait(images: Tensor) -> None:
    if images.is_cuda:
        torch.cuda.synchronize()


def gpu_memory(model: Any, images: Tensor, labels: Tensor) -> int:
    """Bytes that a training step adds at its peak."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    training_step(model, images, labels)
    return torch.cuda.max_memory_allocated() - before


def cpu_memory(network: str, setting: str, batch: int | None) -> float:
    """MiB that a training step adds at its peak."""
    first = next(iter(SETTINGS)) if setting == "plain" else setting
    batch = NETWORKS[network][2] if batch is None else batch
    model, noisy, images, labels = networks(network, first, _LARGER * batch)
    asked = model if setting == "plain" else noisy
    training_step(asked, images[:2], labels[:2])
    runtime.return_freed_memory()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak is what is there now
    before = _peak_kib()
    training_step(asked, images, labels)
    return (_peak_kib() - before) / 1024


def _peak_kib() -> int:
    """Largest resident set so far; Linux's own, since getrusage's counts the parent process's."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmHWM: memory is measured on Linux alone")


def memory_in_own_process(network: str, setting: str, batch: int | None) -> float:
    """:func:`cpu_memory` of a process in which no other memory comes and goes."""
    words = ["--networks", network, "--memory-of", setting]
    words += [] if batch is None else ["--batch", str(batch)]
    own = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed is resident no more
    command = [sys.executable, __file__, *words]
    done = subprocess.run(command, check=True, capture_output=True, env=own)
    return float(json.loads(done.stdout))


_PASSES = 10
PARTS = {
    (NoisyLayer, "essential"): "exact path",
    (NoisyLayer, "projected"): "projection, rounding of x",
    (NoisyLayer, "approximate"): "approximation, its roundings",
    (NoisyLayer, "score"): "score",
    (NoisyLayer, "mask"): "selection",
    (noisy_layer, "mix"): "mixing",
}
"""Function -> what it does, apart from what those that it calls do."""


@contextmanager
def timed_parts() -> Iterator[dict[str, float]]:
    """CPU seconds of each part of the injected layers that are passed within."""
    spent, inner = dict.fromkeys(PARTS.values(), 0.0), [0.0]

    def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed_call(*args: Any, **kwargs: Any) -> Any:
            inner.append(0.0)
            started = time.thread_time()
            found = call(*args, **kwargs)
            seconds = time.thread_time() - started
            spent[part] += seconds - inner.pop()
            inner[-1] += seconds
            return found

        return timed_call

    with ExitStack() as patched:
        for (owner, name), part in PARTS.items():
            replaced = mock.patch.object(owner, name, timed(getattr(owner, name), part))
            patched.enter_context(replaced)
        yield spent


def parts(network: str, setting: str, asked: argparse.Namespace) -> list[dict[str, object]]:
    """Where a forward pass goes, as shares of the plain network's whole pass."""
    model, noisy, images, labels = networks(network, setting, asked.batch)
    plain, injected = alternate(forward, [model, noisy], images, labels, asked.seconds)
    least: dict[str, float] = {}
    for _ in range(_PASSES):
        with timed_parts() as spent:
            forward(noisy, images, labels)
        least = {part: min(spent[part], least.get(part, spent[part])) for part in spent}
    least["other layers"] = injected - sum(least.values())
    return [
        {"network": network, "setting": setting, "part": part, "of_plain": round(s / plain, 3)}
        for part, s in least.items()
    ]


class Launches(TorchDispatchMode):
    """Counts operations that touch memory, and the bytes of what they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.launches = self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if not str(func).removeprefix("aten.").removeprefix("_").startswith(_VIEWS):
            touched = [t for t in tree_leaves((args, kwargs, found)) if isinstance(t, Tensor)]
            self.launches += 1
            self.bytes += sum(prod(t.shape) * t.element_size() for t in touched)
        return found


def counts(network: str, setting: str, batch: int | None) -> dict[str, object]:
    """Launches and megabytes of each step, of the plain network and as ratios to it."""
    parts = [part.to("meta") for part in networks(network, setting, batch)]
    row: dict[str, object] = {"network": network, "setting": setting, "batch": len(parts[2])}
    for step in (forward, training_step, pgd_step):
        spent = []
        for model in parts[:2]:
            with frozen(model.eval()) if step is pgd_step else nullcontext(), Launches() as seen:
                step(model, *parts[2:])
            spent.append((seen.launches, seen.bytes / 1e6))
        name = step.__name__
        row[f"{name}_launches"], row[f"plain_{name}_launches"] = spent[1][0], spent[0][0]
        row[f"{name}_mb"], row[f"plain_{name}_mb"] = round(spent[1][1], 1), round(spent[0][1], 1)
    return row


if __name__ == "__main__":
    main()
