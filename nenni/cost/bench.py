"""Measured time and memory of a network: dense in three precisions, and injected as it runs today.

The processor time of all threads and the time on the clock, each the median of several runs. An
injected network computes both paths in full: what it measures is not the method's promise, but what
today's code takes. Each setting has a process of its own, whose largest resident memory is read.
"""

import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.cost.dense_variants import packed, quantised
from nenni.cost.layer_bench import LayerTimes, layer_times
from nenni.data.batches import Data, device_of, image_batches
from nenni.deployment.deploy import FASTER, deploy
from nenni.method.injection import remove
from nenni.networks.asking import answer
from nenni.networks.modes import evaluating

FORWARD = ("fp32", "bf16", "int8", "injected")
DEPLOYED = ("deployed_dense", "deployed")
TRAINING = ("train_plain", "train_injected")
_REPEATS = 5
_LEAST_SECONDS = 0.2
"""Of one repeat."""
_WITH_A_LAYOUT = 4
"""Dimensions of images, which can be laid out channels last."""


def prepare(model: nn.Module, images: Tensor, variant: str) -> Callable[[], object]:
    """What one call of a variant is.

    Parameters
    ----------
    model : Module
        Injected.
    images : Tensor
        The batch (N, C, H, W).
    variant : str
        One of `FORWARD`: classify the images, dense ones folded and packed. One of `DEPLOYED`: the
        same by :func:`nenni.deploy`, all neurons or with tiles skipped where that is faster. One of
        `TRAINING`: the gradient of the cross entropy for all parameters, in float32.

    Raises
    ------
    UserError
        For one of `DEPLOYED`, if the network cannot be.
    """
    if variant in DEPLOYED:
        deployed = deploy(model, images, skip="nowhere" if variant == "deployed_dense" else FASTER)
        return lambda: _classify(deployed, images)
    plain = remove(model)
    if variant in TRAINING:
        network = (plain if variant == "train_plain" else model).train()
        labels = torch.zeros(len(images), dtype=torch.int64)
        return lambda: _training_step(network, images, labels)
    if images.dim() == _WITH_A_LAYOUT:
        images = images.contiguous(memory_format=torch.channels_last)
    if variant == "injected":
        network = model.eval().to(memory_format=torch.channels_last)
    elif variant == "int8":
        network = quantised(plain.eval(), images)
    else:
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[variant]
        network, images = packed(plain.eval(), images, dtype), images.to(dtype)
    return lambda: _classify(network, images)


@torch.no_grad()
def _classify(network: nn.Module, images: Tensor) -> None:
    network(images.clone())


def _training_step(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    F.cross_entropy(network(images.clone()), labels).backward()
    network.zero_grad()


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Median times of a call once it is warm: of the processor, over all threads, on the clock."""
    run()
    start, number = time.perf_counter(), 0
    while time.perf_counter() - start < _LEAST_SECONDS:
        run()
        number += 1
    found = []
    for _ in range(_REPEATS):
        cpu, clock = time.process_time(), time.perf_counter()
        for _ in range(number):
            run()
        found.append((time.process_time() - cpu, time.perf_counter() - clock))
    cpus, clocks = zip(*found, strict=True)
    return statistics.median(cpus) / number, statistics.median(clocks) / number


def measure(
    model: nn.Module, data: Data, variant: str, *, batch_size: int = 1, threads: int = 1
) -> dict[str, float]:
    """Time and memory of one variant, on one batch, in this process.

    Parameters
    ----------
    model : Module
        Injected.
    data : tensors, loader or data set
        Images whose first batch is taken, see :data:`nenni.data.batches.Data`.
    variant : str
        See :func:`prepare`.
    batch_size : int
        Images at once; a loader has its own.
    threads : int
        Of torch.

    Returns
    -------
    dict
        ``seconds`` of a batch on the processor, of all threads together, ``wall_seconds`` on the
        clock; ``peak_mib``, resident memory that a pass adds at its peak, beside network and
        images.

    Raises
    ------
    UserError
        If the network is on a GPU, or as :func:`prepare`.
    """
    images = _first(model, data, batch_size, threads)
    run = prepare(model, images, variant)
    peak = added_mib(run)
    runtime.keep_freed_memory()
    cpu, clock = seconds(run)
    return {"seconds": cpu, "wall_seconds": clock, "peak_mib": peak}


def measure_layers(
    model: nn.Module, data: Data, *, batch_size: int = 1, threads: int = 1
) -> dict[str, LayerTimes]:
    """Each layer of a deployed network that skips tiles, on the clock beside dense ones.

    Parameters
    ----------
    model : Module
        Injected.
    data, batch_size, threads
        As for :func:`measure`.

    Raises
    ------
    UserError
        As :func:`measure`, or if the network cannot be deployed.
    """
    return layer_times(model, _first(model, data, batch_size, threads))


def _first(model: nn.Module, data: Data, batch_size: int, threads: int) -> Tensor:
    """The first batch, which the network accepts."""
    if (device := device_of(model)).type != "cpu":
        raise UserError(f"times are those of a CPU, and the network is on {device}: model.cpu()")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    images = next(image_batches(data, batch_size, model))
    with torch.no_grad(), evaluating(model):
        answer(model, images)  # whatever fails from here on is the variant's
    return images


def added_mib(run: Callable[[], object]) -> float:
    """Resident memory that a second call adds at its peak.

    Raises
    ------
    UserError
        On other systems than Linux, whose files these are.
    """
    run()
    gc.collect()
    runtime.return_freed_memory()
    try:
        # forgets the largest so far
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError as error:
        raise UserError(f"memory is measured on Linux alone ({error})") from None
    before = _status("VmRSS")
    run()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    """A number of the process's status, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
