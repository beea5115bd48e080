"""Convolutions and matrix products that a network computes, in the order in which they run.

Those of modules are seen by hooks; those that a forward pass computes by itself, as attention does,
by the operators that reach the device.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.hooks import RemovableHandle

from nenni.core.errors import UserError
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked

Shape = dict[str, Any]
"""The keys of ``layers.json`` that give a layer's shape."""


@dataclass(frozen=True)
class Seen:
    """One product.

    Attributes
    ----------
    name : str
        Of the layer, with ``#2`` and so on if it runs again; or of the module that multiplied, and
        ``matmul`` or ``conv``.
    layer : str or None
        Name of the layer as a module.
    geometry : dict
        Its shape.
    """

    name: str
    layer: str | None
    geometry: Shape


@torch.no_grad()
def products(model: nn.Module, layers: Mapping[str, nn.Module], image: Tensor) -> list[Seen]:
    """What one image (1, C, H, W) runs through.

    Parameters
    ----------
    model : Module
        In eval mode.
    layers : dict
        Name -> module that counts as one product, whatever it does within; it is, or wraps as
        ``wrapped``, a Conv2d or a Linear.
    image : Tensor
        One image.

    Raises
    ------
    UserError
        If a convolution is transposed, of three dimensions, or padded unevenly, or the network is
        quantised by torch.
    """
    recorder = _Recorder(layers, {p.untyped_storage().data_ptr() for p in model.parameters()})
    handles: list[RemovableHandle] = []
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            continue  # takes no hooks; its operators are seen
        handles.append(module.register_forward_pre_hook(partial(recorder.enter, name)))
        handles.append(module.register_forward_hook(partial(recorder.leave, name)))
    with hooked(handles), sdpa_kernel(SDPBackend.MATH), _in_parts(), recorder:
        answer(model, image)
    return recorder.seen


@contextmanager
def _in_parts() -> Iterator[None]:
    """Within, a recurrent layer is not one operator of a library's, but its products."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "TF32 acceleration on top of oneDNN", UserWarning)
        with torch.backends.mkldnn.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
            yield


class _Recorder(TorchDispatchMode):
    """Notes products as they run: those of layers by hooks, all others by their operators.

    Parameters
    ----------
    layers : dict
        Name -> module that counts as one product.
    weights : set of int
        Where the parameters of the model are stored.
    """

    def __init__(self, layers: Mapping[str, nn.Module], weights: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[Seen] = []
        self._layers, self._weights = layers, weights
        self._open: list[str] = []
        self._runs = Counter[str]()

    def enter(self, name: str, module: nn.Module, inputs: Any) -> None:
        """Before a module runs."""
        self._open.append(name)

    def leave(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        """After a module has run: a convolution is noted for each sample of its input."""
        self._open.pop()
        if name in self._layers and not self._is_within_layer():
            plain = getattr(module, "wrapped", module)
            geometry = _of_layer(name, plain, inputs[0].shape, output.shape)
            for _ in range(len(inputs[0]) if isinstance(plain, nn.Conv2d) else 1):
                self._add(name, name, geometry)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func.namespace == "quantized":
            raise UserError(
                f"the model is quantised by torch (its operator {func}), and such products are not "
                "counted: describe the network that it was made from"
            )
        result = func(*args, **(kwargs or {}))
        if not self._is_within_layer():
            where = self._open[-1] if self._open else ""
            for kind, geometry in _of_operator(where, func, args, result, self._weights):
                self._add(f"{where}.{kind}".lstrip("."), None, geometry)
        return result

    def _is_within_layer(self) -> bool:
        return any(name in self._layers for name in self._open)

    def _add(self, name: str, layer: str | None, geometry: Shape) -> None:
        self._runs[name] += 1
        label = name if self._runs[name] == 1 else f"{name}#{self._runs[name]}"
        self.seen.append(Seen(label, layer, geometry))


def _of_layer(name: str, layer: nn.Module, inputs: torch.Size, outputs: torch.Size) -> Shape:
    if isinstance(layer, nn.Conv2d):
        left, right, top, bottom = layer._reversed_padding_repeated_twice
        if (left, top) != (right, bottom):
            raise UserError(
                f"layer {name}: its padding '{layer.padding}' differs between the sides, for which "
                "the cost model has no place"
            )
        return convolution(
            layer.weight.shape, layer.stride, (top, left), layer.dilation, layer.groups,
            inputs[2:], outputs[2:],
        )  # fmt: skip
    assert isinstance(layer, nn.Linear)
    return product("linear", inputs[:-1].numel(), layer.out_features, layer.in_features, 1)


def _of_operator(
    where: str, func: Any, args: tuple[Any, ...], result: Any, weights: set[int]
) -> Iterator[tuple[str, Shape]]:
    """The products of an operator that no layer called; by a parameter they are linear layers."""
    aten = torch.ops.aten
    match func.overloadpacket:
        case aten.mm | aten.bmm:
            left, right = args[:2]
        case aten.addmm | aten.baddbmm:
            left, right = args[1:3]
        case aten.mv:
            left, right = args[1][None], args[0].t()
        case aten.convolution | aten._convolution:  # the second where a network was traced
            yield "conv", _functional_convolution(where, args, result)
            return
        case _:
            return
    batch = left.shape[0] if left.dim() == 3 else 1
    linear = batch == 1 and right.untyped_storage().data_ptr() in weights
    kind = "linear" if linear else "matmul"
    yield kind, product(kind, left.shape[-2], right.shape[-1], left.shape[-1], batch)


def _functional_convolution(where: str, args: tuple[Any, ...], result: Tensor) -> Shape:
    x, weight, _, stride, padding, dilation, transposed, _, groups = args[:9]
    if transposed or x.dim() > 4:
        kind = "transposed" if transposed else "three-dimensional"
        raise UserError(
            f"module {where or 'the model'}: its {kind} convolution has no place in the cost model"
        )
    sizes = [weight.shape, stride, padding, dilation, x.shape[2:], result.shape[2:]]
    if x.dim() == 3:  # one dimension is a height of 1
        weight_shape, *rest = sizes
        fill = (1, 0, 1, 1, 1)
        sizes = [(*weight_shape[:2], 1, weight_shape[2])]
        sizes += [(value, *size) for value, size in zip(fill, rest, strict=True)]
    weight_shape, stride, padding, dilation, in_size, out_size = sizes
    return convolution(weight_shape, stride, padding, dilation, groups, in_size, out_size)


def convolution(
    weight: Any, stride: Any, padding: Any, dilation: Any, groups: int, in_size: Any, out_size: Any
) -> Shape:
    """Shape of a convolution whose weights are (n, C / groups, kh, kw)."""
    return {
        "kind": "conv2d",
        "in_channels": weight[1] * groups,
        "out_channels": weight[0],
        "kernel_size": list(weight[2:]),
        "stride": list(stride),
        "padding": list(padding),
        "dilation": list(dilation),
        "groups": groups,
        "in_size": list(in_size),
        "out_size": list(out_size),
    }


def product(kind: str, M: int, n: int, d: int, groups: int) -> Shape:
    """Shape of so many matrix products (M x d) (d x n)."""
    return {
        "kind": kind,
        "in_channels": d * groups,
        "out_channels": n * groups,
        "kernel_size": [1, 1],
        "stride": [1, 1],
        "padding": [0, 0],
        "dilation": [1, 1],
        "groups": groups,
        "in_size": [1, M],
        "out_size": [1, M],
    }
