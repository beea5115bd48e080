"""Times of dense layers on the machine that runs this, by torch.

The one part of the package that needs torch, which is imported on first use. Weights are packed
ahead, as a deployment does: oneDNN re-orders plain ones at each call, which at a batch of one can
cost as much as the layer. Times are of one thread, the processor time of the calling thread.
"""

import ctypes
import statistics
import sys
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hwmodel.errors import UserError
from hwmodel.layer_spec import Layer

if TYPE_CHECKING:
    from torch import Tensor

_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1
"""Parameters of mallopt, from glibc's malloc.h."""
_REPEATS = 5
"""Runs of which the median is taken, each of a fifth of a second or of one call."""


def import_torch() -> Any:
    """The module, or one clear message without it."""
    try:
        import torch
    except ImportError:
        raise UserError("measuring needs torch; install it, or use a preset") from None
    return torch


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next tensor, as a deployment's allocator does.

    Otherwise it maps every large tensor anew, and layers with few inputs and many outputs measure
    the kernel's page faults. For the rest of the process; nothing with another C library.
    """
    allocator = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if allocator is not None:
        allocator(_M_MMAP_MAX, 0)
        allocator(_M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, torch computes in the calling thread alone."""
    torch = import_torch()
    keep_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def seconds(run: Callable[[], object]) -> float:
    """Median thread time of a call, once it is warm."""
    timer = timeit.Timer(run, timer=time.thread_time)
    number, _ = timer.autorange()
    return statistics.median(timer.repeat(_REPEATS, number)) / number


def dense_seconds(layer: Layer, bits: int, batch: int) -> float | None:
    """Time of a layer without injection on this processor, on random numbers.

    Parameters
    ----------
    layer
        A convolution, a linear layer or a product of activations.
    bits
        32 (FP32), 16 (bfloat16) or 8 (INT8 by torch's quantised kernels).
    batch
        Inputs at once.

    Returns
    -------
    float or None
        Seconds; None where torch has no such kernel, as for products of activations in INT8, and
        for convolutions of three axes, transposed, or padded unevenly, which are not measured.

    Raises
    ------
    UserError
        If torch is not installed.
    """
    torch = import_torch()
    with one_thread(), torch.no_grad():
        run = _operation(layer, bits, batch)
        return None if run is None else seconds(run)


def _operation(layer: Layer, bits: int, batch: int) -> Callable[[], object] | None:
    if layer.kind == "conv2d" and all(before == after for before, after in layer.padding):
        return _quantised(layer, batch) if bits == 8 else _convolution(layer, bits, batch)
    if layer.kind == "linear":
        return _quantised_linear(layer, batch) if bits == 8 else _linear(layer, bits, batch)
    if layer.kind == "matmul" and bits != 8:
        return _matmul(layer, bits, batch)
    return None


def _type(bits: int) -> Any:
    torch = import_torch()
    return {32: torch.float32, 16: torch.bfloat16}[bits]


def _images(layer: Layer, batch: int) -> "Tensor":
    torch = import_torch()
    x = torch.rand(batch, layer.in_channels, *layer.in_size)
    images: Tensor = x.contiguous(memory_format=torch.channels_last)
    return images


def _kernel(layer: Layer) -> "Tensor":
    torch = import_torch()
    shape = (layer.n, layer.in_channels // layer.groups, *layer.kernel_size)
    kernel: Tensor = torch.rand(shape) - 0.5
    return kernel


def _convolution(layer: Layer, bits: int, batch: int) -> Callable[[], object]:
    torch = import_torch()
    x, weight = _images(layer, batch).to(_type(bits)), _kernel(layer).to(_type(bits))
    padding = [before for before, _ in layer.padding]
    geometry = (padding, list(layer.stride), list(layer.dilation), layer.groups)
    packed = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *geometry, list(x.shape))
    convolve = torch.ops.mkldnn._convolution_pointwise
    return lambda: convolve(x, packed, None, *geometry, "none", [], "")


def _linear(layer: Layer, bits: int, batch: int) -> Callable[[], object]:
    torch = import_torch()
    x = torch.rand(batch * layer.M, layer.d).to(_type(bits))
    weight = torch.rand(layer.n, layer.d).to(_type(bits))
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, len(x))
    multiply = torch.ops.mkldnn._linear_pointwise
    return lambda: multiply(x, packed, None, "none", [], "")


def _matmul(layer: Layer, bits: int, batch: int) -> Callable[[], object]:
    torch = import_torch()
    heads = batch * layer.groups
    x = torch.rand(heads, layer.M, layer.d).to(_type(bits))
    y = torch.rand(heads, layer.d, layer.n // layer.groups).to(_type(bits))
    return lambda: torch.bmm(x, y)


def _codes(x: "Tensor", kind: Any) -> "Tensor":
    torch = import_torch()
    zero = 0 if kind == torch.qint8 else 128
    codes: Tensor = torch.quantize_per_tensor(x, 0.01, zero, kind)
    return codes


def _quantised(layer: Layer, batch: int) -> Callable[[], object]:
    torch = import_torch()
    x, weight = _codes(_images(layer, batch), torch.quint8), _codes(_kernel(layer), torch.qint8)
    padding = [before for before, _ in layer.padding]
    geometry = (list(layer.stride), padding, list(layer.dilation), layer.groups)
    packed = torch.ops.quantized.conv2d_prepack(weight, None, *geometry)
    return lambda: torch.ops.quantized.conv2d(x, packed, 0.1, 128)


def _quantised_linear(layer: Layer, batch: int) -> Callable[[], object]:
    torch = import_torch()
    x = _codes(torch.rand(batch * layer.M, layer.d), torch.quint8)
    packed = torch.ops.quantized.linear_prepack(
        _codes(torch.rand(layer.n, layer.d) - 0.5, torch.qint8), None
    )
    return lambda: torch.ops.quantized.linear(x, packed, 0.1, 128)
