"""fvcore's counter on injected networks: each term of a layer is an operator with its own handle.

By itself fvcore sees both paths of an injected layer computed for all neurons, and the projection
as a dense product: about twice the multiply-accumulates of the plain layer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
import torch.nn.functional as F
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from nenni.core.seeding import seeded
from nenni.method.injection import noisy_layers
from nenni.method.noisy_layer import NoisyLayer
from nenni.networks.asking import answer
from nenni.networks.copying import copied
from nenni.networks.hooks import hooked

_library = torch.library.Library("nenni", "DEF")
_library.define("projection(Tensor x, int positions, int entries) -> Tensor")
_library.define("approximation(Tensor p, Tensor weight, Tensor z) -> Tensor")
_library.define("exact(Tensor x, Tensor weight, Tensor z, int essential, Tensor? other) -> Tensor")


def _projection(x: Tensor, positions: int, entries: int) -> Tensor:
    """Nothing: what follows counts by shapes that it knows."""
    return x.new_empty(0)


def _approximation(p: Tensor, weight: Tensor, z: Tensor) -> Tensor:
    """As many numbers as z~ has."""
    return torch.zeros_like(z)


def _exact(x: Tensor, weight: Tensor, z: Tensor, essential: int, other: Tensor | None) -> Tensor:
    """What the layer gave."""
    return z.clone()


for _name, _function in (
    ("projection", _projection),
    ("approximation", _approximation),
    ("exact", _exact),
):
    _library.impl(_name, _function, "CompositeExplicitAutograd")


def _projection_handle(inputs: list[Any], outputs: list[Any]) -> int:
    """Each entry that is not skipped, at each position that is projected."""
    positions, entries = (value.toIValue() for value in inputs[1:3])
    return int(positions * entries)


def _approximation_handle(inputs: list[Any], outputs: list[Any]) -> int:
    """M n k: every output times the inputs of one neuron of W~."""
    _, *k = inputs[1].type().sizes()
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


def flop_count(model: nn.Module, images: Tensor) -> FlopCountAnalysis:
    """Multiply-accumulates of all images by fvcore, additions of a ternary P as one each.

    ``by_module_and_operator()`` has ``projection``, ``approximation`` and ``exact`` for each
    injected layer, with P's own non-zeros and these images' own masks, and fvcore's counts for all
    others.
    Comparisons and roundings are not counted, as fvcore counts none.

    Parameters
    ----------
    model : Module
        Injected or plain, in eval mode; a copy of it is traced.
    images : Tensor
        One or more images (N, C, H, W).
    """
    counted = FlopCountAnalysis(_by_terms(model, images), images.clone()).set_op_handle(**HANDLES)
    counted.uncalled_modules_warnings(False).unsupported_ops_warnings(False).total()
    return counted


@dataclass(frozen=True)
class _Call:
    """What a trace, in which shapes are tensors, cannot work out of one call of a layer."""

    positions: int
    essential: int
    output: Tensor


class _Terms(nn.Module):
    """The terms of an injected layer as operators, with the results of calls that were recorded."""

    def __init__(self, layer: NoisyLayer, calls: list[_Call]) -> None:
        super().__init__()
        self.weight, self.W_tilde = layer.wrapped.weight, layer.W_tilde[0].detach()
        self.approximates, self.calls = _approximates(layer), cycle(calls)
        is_real = layer.choices.projection.real
        self.entries = layer.P[0].numel() if is_real else int(layer.P[0].count_nonzero())

    def forward(self, x: Tensor) -> Tensor:
        ops: Any = torch.ops.nenni
        call, z_tilde = next(self.calls), None
        if self.approximates:
            p = ops.projection(x, call.positions, self.entries)
            z_tilde = ops.approximation(p, self.W_tilde, call.output)
        z: Tensor = ops.exact(x, self.weight, call.output, call.essential, z_tilde)
        return z


@torch.no_grad()
def _by_terms(model: nn.Module, images: Tensor) -> nn.Module:
    """Copy of a model whose injected layers are replaced by their terms on these images."""
    model = copied(model)
    calls: dict[NoisyLayer, list[_Call]] = {layer: [] for _, layer in noisy_layers(model)}
    recorded = [layer.register_forward_hook(_record(found)) for layer, found in calls.items()]
    with hooked(recorded), seeded("flop count"):
        answer(model, images)
    terms = {layer: _Terms(layer, found) for layer, found in calls.items()}
    for name, layer in list(model.named_modules(remove_duplicate=False)):
        if isinstance(layer, NoisyLayer):
            model.set_submodule(name, terms[layer])
    return model


def _record(calls: list[_Call]) -> Callable[..., None]:
    def hook(layer: NoisyLayer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        x, mask = inputs[0], layer.mask(layer.judged(inputs[0]))
        choices = layer.choices
        computes_all = choices.noise.uses == "exact" or choices.selection.judges_exact
        essential = mask.numel() if computes_all else int(mask.sum())
        calls.append(_Call(_positions(layer, x), essential, output))

    return hook


def _approximates(layer: NoisyLayer) -> bool:
    """Whether z~ is computed: where it is judged, or some neuron may get it."""
    selection, noise = layer.choices.selection, layer.choices.noise
    all_exact = not selection.adjustable and selection.nominal() == 1
    return selection.judges == "approximate" or (noise.uses == "approximate" and not all_exact)


def _positions(layer: NoisyLayer, x: Tensor) -> int:
    """How often P is applied to a batch: once per output position, or per input position read."""
    wrapped = layer.wrapped
    if isinstance(wrapped, nn.Linear):
        return x.shape[:-1].numel()
    index = torch.arange(1.0, 1 + x.shape[2:].numel()).view(1, 1, *x.shape[2:])
    padded = F.pad(index, wrapped._reversed_padding_repeated_twice)
    patches = F.unfold(padded, wrapped.kernel_size, wrapped.dilation, stride=wrapped.stride)
    if not layer.choices.projection.shared_taps:
        return len(x) * patches.shape[-1]
    return len(x) * int(patches.unique().count_nonzero())
