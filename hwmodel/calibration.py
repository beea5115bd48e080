"""A preset of the machine that runs this, measured.

Rates are those that dense layers reach, in one thread, so that the share of the peak that they
reach is 1 by definition. What is not measured, tiles and zeros of P, is taken as for any vector
unit. The layers are none of a network that is compared later.
"""

import statistics
from collections.abc import Callable
from typing import Any

from hwmodel.layer_spec import Layer
from hwmodel.machine import dense_seconds, import_torch, one_thread, seconds

_CLOCK = 1.0e9
"""Cycles are nanoseconds: the true clock does not matter to rates that are measured."""
_SHAPES = ((48, 24, 3), (96, 14, 3), (160, 12, 3), (384, 6, 3), (224, 14, 1), (80, 28, 3))
"""Channels, height and width, kernel of the layers whose rates are measured."""
_BATCH = 8
_TILE = 16


def convolution(channels: int, size: int, kernel: int) -> Layer:
    """A convolution that keeps channels and size, without injection."""
    return Layer.model_validate(
        {
            "name": f"{kernel}x{kernel}_{channels}_{size}",
            "kind": "conv2d",
            "in_channels": channels,
            "out_channels": channels,
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


def mac_rate(bits: int) -> float:
    """Multiply-accumulates per second that dense layers reach, the median over some."""
    rates = []
    for shape in _SHAPES:
        layer = convolution(*shape)
        time = dense_seconds(layer, bits, _BATCH)
        assert time is not None
        rates.append(_BATCH * layer.M * layer.n * layer.d / time)
    return statistics.median(rates)


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

    layers = f"median over {len(_SHAPES)} convolutions at a batch of {_BATCH}, weights packed ahead"
    for bits, kind in ((32, "FP32"), (16, "bfloat16"), (8, "INT8")):
        keep(f"mac_per_cycle.{bits}", mac_rate(bits) / _CLOCK, f"{kind}: {layers}")
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
    tiny = dense_seconds(convolution(1, 1, 1), 32, 1)
    assert tiny is not None
    keep("overhead_s", tiny, "a convolution of one number")
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
    add("skips_zeros", "true", "assumed", "software is free to add non-zeros only")
    return "\n".join(lines) + "\n"
