"""A plain network as it would be deployed: norms folded, weights packed, fewer bits.

Weights are re-ordered ahead for oneDNN's kernels: plain ones are at every call, which makes dense
layers look up to 1.6 times slower than they are, linear ones twice. CPU only.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nenni.networks.asking import answer
from nenni.networks.copying import copied
from nenni.networks.folding import folded
from nenni.networks.hooks import hooked

ENGINES = ("x86", "onednn")
"""What torch computes convolutions of bytes with."""
_LEAST_STEP = 1e-9
"""Where all weights of a channel, or all inputs, are 0."""


class PackedConv2d(nn.Module):
    """A convolution whose weights are re-ordered for one shape of input.

    Parameters
    ----------
    layer : Conv2d
        With zero padding; its weights are copied.
    shape : Size
        Of the input (N, C, H, W).
    dtype : torch.dtype
        float32 or bfloat16.
    """

    def __init__(self, layer: nn.Conv2d, shape: torch.Size, dtype: torch.dtype) -> None:
        super().__init__()
        sizes = (layer.padding, layer.stride, layer.dilation)
        self.geometry: tuple[Any, ...] = (*map(list, sizes), layer.groups)
        weight = layer.weight.detach().to(dtype).to_mkldnn()
        reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
        self.weight = reorder(weight, *self.geometry, list(shape))
        self.bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of an input of the shape that was packed for."""
        convolve: Any = torch.ops.mkldnn._convolution_pointwise
        result: Tensor = convolve(x, self.weight, self.bias, *self.geometry, "none", [], "")
        return result


class PackedLinear(nn.Module):
    """A linear layer whose weights are re-ordered for one number of rows.

    Parameters
    ----------
    layer : Linear
        Its weights are copied.
    shape : Size
        Of the input (..., d).
    dtype : torch.dtype
        float32 or bfloat16.
    """

    def __init__(self, layer: nn.Linear, shape: torch.Size, dtype: torch.dtype) -> None:
        super().__init__()
        reorder: Any = torch.ops.mkldnn._reorder_linear_weight
        self.weight = reorder(layer.weight.detach().to(dtype), shape[:-1].numel())
        self.bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """The product with an input of the shape that was packed for."""
        multiply: Any = torch.ops.mkldnn._linear_pointwise
        result: Tensor = multiply(x, self.weight, self.bias, "none", [], "")
        return result


@torch.no_grad()
def packed(model: nn.Module, images: Tensor, dtype: torch.dtype) -> nn.Module:
    """Copy in float32 or bfloat16, folded, channels last, convolutions and linear layers packed.

    Convolutions with other padding than a fixed number of zeros stay as they are, as do products
    with parameters outside of a linear layer, such as the joint one of torch's attention.

    Parameters
    ----------
    model : Module
        Plain, in eval mode.
    images : Tensor
        A batch (N, C, H, W) of the size that is run later.
    dtype : torch.dtype
        Of weights and activations; images are to come in it.
    """
    quick = folded(model, images[:2]).to(memory_format=torch.channels_last)
    shapes: dict[str, torch.Size] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            shapes[name] = inputs[0].shape

        return hook

    plain = [(n, m) for n, m in quick.named_modules() if type(m) in (nn.Conv2d, nn.Linear)]
    with hooked([layer.register_forward_pre_hook(keep(name)) for name, layer in plain]):
        answer(quick, images)
    quick.to(dtype)
    for name, layer in plain:
        if name not in shapes:
            continue
        if isinstance(layer, nn.Linear):
            quick.set_submodule(name, PackedLinear(layer, shapes[name], dtype))
        elif isinstance(layer, nn.Conv2d) and _pads_zeros(layer):
            quick.set_submodule(name, PackedConv2d(layer, shapes[name], dtype))
    return quick


def _pads_zeros(layer: nn.Conv2d) -> bool:
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def quantised(model: nn.Module, images: Tensor) -> nn.Module:
    """Copy in INT8 by torch's post-training quantisation, calibrated on the images.

    Parameters
    ----------
    model : Module
        Plain, in eval mode; torch.fx must be able to trace it.
    images : Tensor
        Images (N, C, H, W) that set the ranges.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the whole of torch.ao is deprecated, without a successor
        from torch.ao.quantization import get_default_qconfig_mapping
        from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

        with _computed_by(engine := ENGINES[0]):
            mapping = get_default_qconfig_mapping(engine)
            prepared = prepare_fx(copied(model), mapping, (images,))
            answer(prepared, images)
            result: nn.Module = convert_fx(prepared)
        return result


def convolution_of_bytes(layer: nn.Conv2d, x: Tensor, engine: str) -> Callable[[], Tensor]:
    """A call of torch's INT8 kernel for a convolution and ReLU, of bytes to bytes, packed ahead.

    It is there to be timed: the step of its outputs is made up.

    Parameters
    ----------
    layer : Conv2d
        With zero padding.
    x : Tensor
        Input (N, C, H, W), whose negative values are clipped: its time hangs on no value.
    engine : str
        One of `ENGINES`.
    """
    weight = layer.weight.detach()
    scales = weight.flatten(1).abs().amax(1).double().clamp_min(_LEAST_STEP) / 127
    zeros = torch.zeros(len(scales), dtype=torch.long)
    sizes = [list(size) for size in (layer.stride, layer.padding, layer.dilation)]
    channels_last = x.contiguous(memory_format=torch.channels_last)
    step = float(x.max().clamp_min(_LEAST_STEP)) / 127
    with warnings.catch_warnings(), _computed_by(engine):
        warnings.simplefilter("ignore")  # deprecated, as the whole of torch.ao
        codes = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        ready = torch.ops.quantized.conv2d_prepack(codes, layer.bias, *sizes, layer.groups)
        inputs = torch.quantize_per_tensor(channels_last, step, 0, torch.quint8)
    return partial(torch.ops.quantized.conv2d_relu, inputs, ready, 0.05, 0)


@contextmanager
def _computed_by(engine: str) -> Iterator[None]:
    """With torch's kernels of bytes from an engine, which packed weights stay with."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine
    try:
        yield
    finally:
        torch.backends.quantized.engine = before
