"""fvcore's counter on injected networks: each term of a layer is an operator with its own handle.

By itself fvcore sees both paths of an injected layer computed for all neurons, and the projection
as a dense product: about twice the multiply-accumulates of the plain layer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import torch
import torch.nn.functional as F
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from nenni.method.injection import noisy_layers
from nenni.method.noisy_layer import NoisyLayer

_LAYERS: dict[int, NoisyLayer] = {}
"""Layers that are being traced: an operator has tensors and numbers for arguments, no modules."""

_library = torch.library.Library("nenni", "DEF")
_library.define("projection(Tensor x, int layer, int positions, int nonzeros) -> Tensor")
_library.define("approximation(Tensor x, Tensor p, Tensor weight, int layer) -> Tensor")
_library.define("exact(Tensor x, Tensor weight, int layer, int essential, Tensor? noise) -> Tensor")


def _projection(x: Tensor, layer: int, positions: int, nonzeros: int) -> Tensor:
    return _LAYERS[layer].projected_rounded(x)


def _approximation(x: Tensor, p: Tensor, weight: Tensor, layer: int) -> Tensor:
    return _LAYERS[layer].approximate(x)


def _exact(x: Tensor, weight: Tensor, layer: int, essential: int, noise: Tensor | None) -> Tensor:
    return type(_LAYERS[layer]).forward(_LAYERS[layer], x)


for _name, _function in (
    ("projection", _projection),
    ("approximation", _approximation),
    ("exact", _exact),
):
    _library.impl(_name, _function, "CompositeExplicitAutograd")


def _projection_handle(inputs: list[Any], outputs: list[Any]) -> int:
    """Each non-zero at each position that is projected."""
    positions, nonzeros = (value.toIValue() for value in inputs[2:4])
    return int(positions * nonzeros)


def _approximation_handle(inputs: list[Any], outputs: list[Any]) -> int:
    """M n k: every output times the inputs of one neuron of W~."""
    _, *k = inputs[2].type().sizes()
    return torch.Size(outputs[0].type().sizes()).numel() * torch.Size(k).numel()


def _exact_handle(inputs: list[Any], outputs: list[Any]) -> int:
    """Every essential neuron times the inputs of one neuron of W."""
    _, *d = inputs[1].type().sizes()
    return int(inputs[3].toIValue() * torch.Size(d).numel())


HANDLES = {
    "nenni::projection": _projection_handle,
    "nenni::approximation": _approximation_handle,
    "nenni::exact": _exact_handle,
}


def flop_count(model: nn.Module, image: Tensor) -> FlopCountAnalysis:
    """Multiply-accumulates of one image by fvcore, additions of a ternary P as one each.

    ``by_module_and_operator()`` has ``projection``, ``approximation`` and ``exact`` for each
    injected layer, with P's own non-zeros and this image's own mask, and fvcore's counts for all
    others.
    Comparisons and roundings are not counted, as fvcore counts none.

    Parameters
    ----------
    model : Module
        Injected or plain, in eval mode; it is traced on first use of a count.
    image : Tensor
        One image (1, C, H, W).
    """
    with _as_operators(model, image):
        counted = FlopCountAnalysis(model, image).set_op_handle(**HANDLES)
        counted.uncalled_modules_warnings(False).unsupported_ops_warnings(False).total()
    return counted


@dataclass(frozen=True)
class _Call:
    """What a trace, in which shapes are tensors, cannot work out."""

    positions: int
    essential: int


@contextmanager
def _as_operators(model: nn.Module, image: Tensor) -> Iterator[None]:
    """Within, injected layers call their terms as operators."""
    noisy = dict(noisy_layers(model))
    calls: dict[str, list[_Call]] = {name: [] for name in noisy}

    def record(name: str) -> Callable[..., None]:
        def hook(layer: NoisyLayer, inputs: tuple[Tensor, ...], _: Tensor) -> None:
            calls[name].append(_call(layer, inputs[0]))

        return hook

    hooks = [layer.register_forward_hook(record(name)) for name, layer in noisy.items()]
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    for name, layer in noisy.items():
        _LAYERS[id(layer)] = layer
        layer.forward = partial(_traced, layer, cycle(calls[name]))  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in noisy.values():
            del layer.forward, _LAYERS[id(layer)]


def _call(layer: NoisyLayer, x: Tensor) -> _Call:
    config, mask = layer.choices.to_config(), layer.mask(layer.judged(x))
    noise_on_exact = config["noise"]["name"] in ("gaussian", "uniform")
    computes_all = noise_on_exact or layer.choices.selection.judges_exact
    return _Call(_positions(layer, x), mask.numel() if computes_all else int(mask.sum()))


def _traced(layer: NoisyLayer, calls: Iterator[_Call], x: Tensor) -> Tensor:
    ops: Any = torch.ops.nenni
    config, number, call = layer.choices.to_config(), id(layer), next(calls)
    selection, noise = config["selection"]["name"], config["noise"]["name"]
    judges_z_tilde = selection not in ("oracle", "random", "all", "none")
    z_tilde = None
    if judges_z_tilde or (noise in ("approximation", "resample") and selection != "all"):
        is_real = config["projection"]["name"] in ("gaussian", "tap_shared_pca")
        entries = layer.P[0].numel() if is_real else int(layer.P[0].count_nonzero())
        p = ops.projection(x, number, call.positions, entries)
        z_tilde = ops.approximation(x, p, layer.W_tilde[0], number)
    result: Tensor = ops.exact(x, layer.wrapped.weight, number, call.essential, z_tilde)
    return result


def _positions(layer: NoisyLayer, x: Tensor) -> int:
    """How often P is applied: once per output position, or per input position that is read."""
    wrapped = layer.wrapped
    if isinstance(wrapped, nn.Linear):
        return x.shape[1:-1].numel()
    index = torch.arange(1.0, 1 + x.shape[2:].numel()).view(1, 1, *x.shape[2:])
    left, _, top, _ = wrapped._reversed_padding_repeated_twice
    patches = F.unfold(index, wrapped.kernel_size, wrapped.dilation, (top, left), wrapped.stride)
    if not layer.choices.projection.shared_taps:
        return patches.shape[-1]
    return int(patches.unique().count_nonzero())
