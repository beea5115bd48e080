"""Which layers skip tiles: those that a measurement on this machine finds faster so."""

import math
import time
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.fx import GraphModule

from nenni.core.errors import UserError, in_a_line
from nenni.core.io import read_json, write_json
from nenni.core.machine import gpu, processor
from nenni.deployment.compiled import AMX, TRITON
from nenni.deployment.convolution import Dense, Skipping
from nenni.deployment.program import computing, program, run

_REPEATS = 9
_LEAST_SECONDS = 0.002
"""Of one measurement, so that the steps of the clock do not show."""
OF_A_NETWORK = 0.02
"""The same of a network, whose weights take a while to be cached."""
_CLEARLY = 0.98
"""Part of the time of what layers do alone, below which another choice is faster as a whole."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Measured:
    """Times of a layer, in seconds of a batch.

    Attributes
    ----------
    dense, skipping : float
        Of all neurons, and with tiles skipped.
    skips : bool
        Whether it does in the network that is deployed.
    """

    dense: float
    skipping: float
    skips: bool


def measure(graph: GraphModule, example: Tensor, kernel: str) -> dict[str, Measured]:
    """Time each injected layer of a simulation both ways, on the batch that it gets.

    Parameters
    ----------
    graph : GraphModule
        Whose injected layers all skip.
    example : Tensor
        Images (N, C, H, W).
    kernel : str
        One of :func:`nenni.deployment.compiled.kernels`.
    """
    found: dict[str, Measured] = {}
    for name, layer, codes, added in skipping_calls(graph, example, kernel):
        both: dict[str, Dense | Skipping] = {"dense": layer.exact, "skipping": layer}
        calls = {way: partial(computing(kernel, of), codes, added) for way, of in both.items()}
        times = fastest(calls, example.device)
        found[name] = Measured(**times, skips=times["skipping"] < times["dense"])
    return found


def in_a_network(
    times: Mapping[str, Measured],
    network: Callable[[tuple[str, ...]], GraphModule],
    example: Tensor,
    kernel: str,
) -> dict[str, Measured]:
    """The same, all of them dense or all skipping where the whole network is clearly faster so.

    Alone a layer has the caches for itself, and what it leaves to the next one costs nothing.

    Parameters
    ----------
    times : mapping
        From :func:`measure`.
    network : callable
        Layers that stay dense -> the simulation.
    example, kernel
        As for :func:`measure`.
    """
    alone = tuple(name for name, measured in times.items() if not measured.skips)
    calls = {}
    for dense in (alone, tuple(times), ()):
        graph = network(dense)
        calls[dense] = partial(run, program(graph, kernel), example)
    found = fastest(calls, example.device, OF_A_NETWORK)
    best = min(found, key=lambda dense: found[dense])
    if found[best] > _CLEARLY * found[alone]:
        best = alone
    return {name: replace(m, skips=name not in best) for name, m in times.items()}


def skipping_calls(
    graph: GraphModule, example: Tensor, kernel: str
) -> list[tuple[str, Skipping, Tensor, Tensor | None]]:
    """Each layer that skips, with the codes that it gets of a batch and what is added to them.

    Parameters
    ----------
    graph, example, kernel
        As for :func:`measure`.
    """
    found: list[tuple[str, Skipping, Tensor, Tensor | None]] = []

    def keep(name: str, layer: Dense | Skipping, codes: Tensor, added: Tensor | None) -> None:
        if isinstance(layer, Skipping):
            found.append((name, layer, codes, added))

    run(program(graph, kernel), example, keep)
    return found


def fastest_kernel(graph: GraphModule, example: Tensor, there: Sequence[str]) -> str:
    """The first of some kernels; AMX only where it is faster than the next, with the same codes.

    Parameters
    ----------
    graph : GraphModule
        The simulation.
    example : Tensor
        Images (N, C, H, W).
    there : sequence of str
        From :func:`nenni.deployment.compiled.kernels`.
    """
    first, *others = there
    if first != AMX:
        return first
    rival, other = others[0], set[str]()

    def compare(name: str, layer: Dense | Skipping, codes: Tensor, added: Tensor | None) -> None:
        dense = layer.exact if isinstance(layer, Skipping) else layer
        found, expected = (computing(kernel, dense)(codes, added) for kernel in (AMX, rival))
        if not torch.equal(found, expected):
            other.add(name)

    run(program(graph, rival), example, compare)
    if other:
        warnings.warn(
            f"the kernel {AMX} gives other codes than {rival} on this machine, for layers "
            f"{', '.join(sorted(other))}: it is left out; please report it",
            stacklevel=4,
        )
        return rival
    calls = {kernel: partial(run, program(graph, kernel), example) for kernel in (AMX, rival)}
    times = fastest(calls)
    return min(times, key=lambda kernel: times[kernel])


def kept_kernel(path: Path) -> str | None:
    """The kernel of a file of choices, if it tells one."""
    try:
        return str(read_json(path)["kernel"])
    except (UserError, KeyError, TypeError, ValueError):
        return None


def write(
    path: Path,
    layers: Mapping[str, str],
    found: Mapping[str, Measured],
    kernel: str,
    batch: int,
) -> None:
    """Keep what was measured, and on what; `layers` from :func:`described`."""
    seconds = {name: asdict(times) for name, times in found.items()}
    write_json(path, _measured_on(kernel, batch) | {"layers": {**layers}, "seconds": seconds})


def described(graph: GraphModule, kernel: str) -> dict[str, str]:
    """Each layer that skips -> what its times hang on."""
    skipping = {
        s.name: s.layer for s in program(graph, kernel).steps if isinstance(s.layer, Skipping)
    }
    return {name: _work(layer) for name, layer in skipping.items()}


def _work(layer: Skipping) -> str:
    product, (wide, high) = layer.exact.product, layer.tile
    return (
        f"{product.channels} channels at {len(product.position)} positions, "
        f"{product.codes[0].numel()} products each, {layer.kept} tiles of {wide}x{high} exact"
    )


def _measured_on(kernel: str, batch: int) -> dict[str, Any]:
    """What times hang on beside the network."""
    device = gpu() if kernel == TRITON else processor()
    threads = torch.get_num_threads()
    return {"processor": device, "threads": threads, "kernel": kernel, "batch": batch}


def read(path: Path, layers: Mapping[str, str], kernel: str, batch: int) -> dict[str, Measured]:
    """What was measured of the injected layers of a network.

    Where it was measured on something else than would be now, it holds all the same, with a
    warning.

    Raises
    ------
    UserError
        If the file is not of that kind, of other layers, or of a GPU where this is none, or the
        reverse.
    """
    try:
        kept = read_json(path)
        seconds, on_gpu = kept["seconds"], kept["kernel"] == TRITON
        found = {name: _measured(times) for name, times in seconds.items()}
        known = dict(kept.get("layers", layers))  # which older files do not tell
    except (UserError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}: is no file of nenni.deploy's choices ({in_a_line(error)}); remove it, and "
            "they are measured again"
        ) from error
    if on_gpu != (kernel == TRITON):
        here, there = ("the CPU", "a GPU") if on_gpu else ("a GPU", "the CPU")
        raise UserError(
            f"{path}: was measured on {there}, and the network is on {here}; give another file"
        )
    if found.keys() != layers.keys():
        raise UserError(
            f"{path}: holds the choices of other layers ({', '.join(found)}) than the network's "
            f"({', '.join(layers)}); remove it, or give another file"
        )
    now = _measured_on(kernel, batch)
    then = {key: kept[key] for key in now if key in kept and kept[key] != now[key]}
    then |= {name: told for name, told in known.items() if layers.get(name) != told}
    now |= layers
    if then:
        told = ", ".join(f"{key} {value} (now {now.get(key)})" for key, value in then.items())
        warnings.warn(
            f"{path}: was measured on {told}; other layers may be faster now: remove it and they "
            "are measured again",
            stacklevel=4,
        )
    return found


def _measured(times: Mapping[str, Any]) -> Measured:
    dense, skipping = _seconds(times["dense"]), _seconds(times["skipping"])
    skips = times.get("skips", skipping < dense)  # which older files do not tell
    if not isinstance(skips, bool):
        raise TypeError(f"skips should be true or false, got {skips}")
    return Measured(dense, skipping, skips)


def _seconds(time: Any) -> float:
    if not 0 < float(time) < math.inf:
        raise ValueError(f"{time} is no time")
    return float(time)


@torch.no_grad()
def fastest(
    calls: Mapping[Key, Callable[[], Any]],
    device: torch.device | str = "cpu",
    seconds: float = _LEAST_SECONDS,
) -> dict[Key, float]:
    """Least time of each of some calls, in seconds; they take turns, so that they meet the same.

    Each is called as often before it is timed as while it is: the call before has taken the caches,
    and what comes first after a large one would look up to a fifth slower than it is.

    Parameters
    ----------
    calls : mapping
        Name -> what is timed.
    device : torch.device or str
        On a GPU each is a CUDA graph, so that what a program takes to ask for it is left out.
    seconds : float
        Least time of one measurement, and of the calls before it.
    """
    if torch.device(device).type == "cuda":
        calls = {name: _captured(call) for name, call in calls.items()}
    counts = {name: _count(call, seconds) for name, call in calls.items()}
    least = dict.fromkeys(calls, math.inf)
    for _ in range(_REPEATS):
        for name, call in calls.items():
            _seconds_of(call, counts[name])
            least[name] = min(least[name], _seconds_of(call, counts[name]) / counts[name])
    return least


def _seconds_of(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    _wait()
    return time.perf_counter() - start


def _count(call: Callable[[], Any], seconds: float) -> int:
    """How often a call fits into some seconds, once it is warm."""
    call()
    _wait()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        call()
        _wait()
        count += 1
    return count


def _captured(call: Callable[[], Any]) -> Callable[[], Any]:
    for _ in range(3):  # kernels are compiled, and algorithms chosen
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def _wait() -> None:
    """Until a GPU has done what it was asked for."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
