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

from nenni.cost.geometry import Shape, convolution, product
from nenni.cost.operators import Weights, is_uncounted, products_of, samples_of, tensors_of
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked


@dataclass(frozen=True)
class Seen:
    """One product.

    Attributes
    ----------
    name : str
        Of the layer, with ``#2`` and so on if it runs again; or of the module that multiplied, and
        ``matmul``, ``linear`` or ``conv``.
    layer : str or None
        Name of the layer as a module.
    geometry : dict
        Its shape.
    """

    name: str
    layer: str | None
    geometry: Shape


@dataclass(frozen=True)
class Uncounted:
    """An operator that reads a parameter and whose products are not known.

    Attributes
    ----------
    name : str
        Of the module that called it; empty for the model itself.
    operator : str
        Its name in torch.
    """

    name: str
    operator: str


@dataclass(frozen=True)
class Found:
    """What a network computes.

    Attributes
    ----------
    products : tuple of Seen
        In the order in which they run.
    uncounted : tuple of Uncounted
        What reads a parameter and is no product that is known, each once.
    """

    products: tuple[Seen, ...]
    uncounted: tuple[Uncounted, ...]


@torch.no_grad()
def products(model: nn.Module, layers: Mapping[str, nn.Module], image: Tensor) -> Found:
    """What one input (1, ...) runs through.

    Parameters
    ----------
    model : Module
        In eval mode.
    layers : dict
        Name -> module that counts as one product, whatever it does within; it is, or wraps as
        ``wrapped``, a Conv2d or a Linear.
    image : Tensor
        One image, or the tokens of one text.
    """
    recorder = _Recorder(layers, Weights(model))
    handles: list[RemovableHandle] = []
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            continue  # takes no hooks; its operators are seen
        handles.append(module.register_forward_pre_hook(partial(recorder.enter, name)))
        handles.append(module.register_forward_hook(partial(recorder.leave, name)))
    with hooked(handles), sdpa_kernel(SDPBackend.MATH), _in_parts(), recorder:
        answer(model, image)
    return Found(tuple(recorder.seen), tuple(dict.fromkeys(recorder.uncounted)))


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
    weights : Weights
        The parameters and buffers of the model.
    """

    def __init__(self, layers: Mapping[str, nn.Module], weights: Weights) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[Seen] = []
        self.uncounted: list[Uncounted] = []
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
            geometry = _of_layer(plain, inputs[0].shape, output.shape)
            for _ in range(len(inputs[0]) if isinstance(plain, nn.Conv2d) else 1):
                self._add(name, name, geometry)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._is_within_layer():
            where = self._open[-1] if self._open else ""
            found = list(products_of(func, args, result, self._weights))
            for kind, geometry in found:
                for _ in range(samples_of(func, args)):
                    self._add(f"{where}.{kind}".lstrip("."), None, geometry)
            read = tensors_of((args, kwargs))
            if not found and is_uncounted(func, read, result, self._weights):
                self.uncounted.append(Uncounted(where, str(func.overloadpacket)))
            self._weights.learn(read, result)
        return result

    def _is_within_layer(self) -> bool:
        return any(name in self._layers for name in self._open)

    def _add(self, name: str, layer: str | None, geometry: Shape) -> None:
        self._runs[name] += 1
        label = name if self._runs[name] == 1 else f"{name}#{self._runs[name]}"
        self.seen.append(Seen(label, layer, geometry))


def _of_layer(layer: nn.Module, inputs: torch.Size, outputs: torch.Size) -> Shape:
    if isinstance(layer, nn.Conv2d):
        left, right, top, bottom = layer._reversed_padding_repeated_twice
        padding = [
            before if before == after else (before, after)
            for before, after in ((top, bottom), (left, right))
        ]
        return convolution(
            layer.weight.shape, layer.stride, padding, layer.dilation, layer.groups, inputs[2:],
            outputs[2:],
        )  # fmt: skip
    assert isinstance(layer, nn.Linear)
    return product("linear", inputs[:-1].numel(), layer.out_features, layer.in_features, 1)
