"""A preset of the machine that runs this, measured.

Rates are those that dense layers reach, in one thread, so that the share of the peak that they
reach is 1 by definition. Layers with few inputs tell how long an output takes to be finished. What
is not measured, tiles and zeros of P, is taken as for any vector unit. The layers are none of a
network that is compared later.
"""

import statistics
from collections.abc import Callable
from itertools import starmap
from typing import Any

from hwmodel.layer_spec import Layer
from hwmodel.machine import dense_seconds, import_torch, one_thread, seconds

_CLOCK = 1.0e9
"""Cycles are nanoseconds: the true clock does not matter to rates that are measured."""
_SHAPES = (
    (48, 48, 24, 3), (96, 96, 14, 3), (160, 160, 12, 3), (384, 384, 6, 3), (224, 224, 14, 1),
    (80, 80, 28, 3),
)  # fmt: skip
"""Channels in and out, height and width, kernel of the layers whose rates are measured."""
_SHALLOW = ((2, 48, 28, 3), (4, 80, 24, 3), (6, 48, 28, 3), (8, 112, 20, 3))
"""The same of layers with few inputs, most of whose time may go to finishing outputs."""
_ROUNDS = 4
"""Of taking the one out of the times of the other, each of which is small next to the other."""
_BATCH = 8
_TILE = 16


def convolution(inputs: int, outputs: int, size: int, kernel: int) -> Layer:
    """A convolution between so many channels that keeps the size, without injection."""
    return Layer.model_validate(
        {
            "name": f"{kernel}x{kernel}_{inputs}_{outputs}_{size}",
            "kind": "conv2d",
            "in_channels": inputs,
            "out_channels": outputs,
            "kernel_size": (kernel, kernel),
            "stride": (1, 1),
            "padding": (kernel // 2, kernel // 2),
            "dilation": (1, 1),
            "groups": 1,
            "in_size": (size, size),
            "out_size": (size, size),
            "exact_bits": 32,
        }
    )


def product_rates(bits: int, overhead_s: float) -> tuple[float, float]:
    """Multiply-accumulates per second, and seconds to finish an output, at which layers run.

    An output takes d multiply-accumulates and the time to finish it, 0 if none can be told. Medians
    over layers with many inputs and with few.
    """
    deep, shallow = (
        [(layer.d, _output_s(layer, bits, overhead_s)) for layer in starmap(convolution, shapes)]
        for shapes in (_SHAPES, _SHALLOW)
    )
    finishing_s = 0.0
    for _ in range(_ROUNDS):
        rate = statistics.median(d / (time - finishing_s) for d, time in deep)
        finishing_s = max(0.0, statistics.median(time - d / rate for d, time in shallow))
    return rate, finishing_s


def _overhead_s() -> float:
    smallest = convolution(1, 1, 1, 1)
    kinds = (smallest, smallest.model_copy(update={"kind": "linear"}))
    times = [dense_seconds(layer, bits, 1) for layer in kinds for bits in (32, 16, 8)]
    return statistics.median(time for time in times if time is not None)


def _output_s(layer: Layer, bits: int, overhead_s: float) -> float:
    time = dense_seconds(layer, bits, _BATCH)
    assert time is not None
    return max(time - overhead_s, 0.0) / (_BATCH * layer.M * layer.n)


def _rate(operations: float, run: Callable[[], object]) -> float:
    return operations / seconds(run)


def measure(progress: Callable[[str], None] = lambda _: None) -> str:
    """Measure this machine for about a minute.

    Parameters
    ----------
    progress
        Receives one line per quantity.

    Returns
    -------
    str
        A preset as TOML: see `hwmodel.load_preset`.

    Raises
    ------
    UserError
        If torch is not installed.
    """
    torch = import_torch()
    with one_thread():
        return _toml(_constants(torch, progress), torch.__version__)


def _constants(torch: Any, progress: Callable[[str], None]) -> dict[str, tuple[float, str]]:
    found: dict[str, tuple[float, str]] = {}

    def keep(name: str, value: float, how: str) -> None:
        found[name] = value, how
        progress(f"{name}: {value:.4g}")

    tiny = _overhead_s()
    keep("overhead_s", tiny, "median over a convolution and a linear layer of one number by bits")
    layers = f"convolutions at a batch of {_BATCH}, weights packed ahead"
    for bits, kind in ((32, "FP32"), (16, "bfloat16"), (8, "INT8")):
        rate, finishing_s = product_rates(bits, tiny)
        keep(f"mac_per_cycle.{bits}", rate / _CLOCK, f"{kind}: median over {len(_SHAPES)} {layers}")
        if finishing_s:
            how = f"{kind}: median over {len(_SHALLOW)} {layers}, 2 to 8 channels in"
            keep(f"outputs_per_cycle.{bits}", 1 / (finishing_s * _CLOCK), how)
    small = torch.rand(8192)
    out = torch.empty_like(small)
    elementwise = _rate(small.numel(), lambda: torch.add(small, small, out=out)) / _CLOCK
    keep("elementwise_per_cycle", elementwise, "sum of two vectors of 8,192 FP32 numbers")
    scores = torch.rand(65536)
    ranking = 3 * _rate(scores.numel(), lambda: scores.kthvalue(32768)) / _CLOCK
    share = min(1.0, ranking / elementwise)
    keep("utilisation_irregular", share, "3 comparisons a number of kthvalue over 65,536")
    source = torch.rand(16 * 2**20)
    copy = torch.empty_like(source)
    bandwidth = _rate(2 * 4 * source.numel(), lambda: copy.copy_(source))
    keep("bandwidth_bytes_per_s", bandwidth, "a copy of 64 MiB, bytes read and written")
    return found


def _toml(constants: dict[str, tuple[float, str]], version: str) -> str:
    lines = [f'description = "one thread of the machine that was measured, by torch {version}"']

    def add(name: str, value: str, tag: str, source: str) -> None:
        lines.extend(
            ["", f"[{name}]", f"value = {value}", f'tag = "{tag}"', f'source = "{source}"']
        )

    add("clock_hz", f"{_CLOCK:.1e}", "assumed", "nominal: cycles are nanoseconds")
    add("utilisation_dense", "1.0", "assumed", "rates are those that layers reach, not peaks")
    for name, (value, how) in constants.items():
        add(name, f"{value:.4e}", "measured", how)
    add("tile_outputs", str(_TILE), "assumed", "one vector of 16 accumulators of 32 bits")
    add("mixes_groups", "true", "assumed", "each lane of a vector has operands of its own")
    add("skips_zeros", "true", "assumed", "software is free to add non-zeros only")
    return "\n".join(lines) + "\n"
