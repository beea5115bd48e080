"""Run a network once and see which layers run, in which order, and what follows them."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nenni.networks.asking import answer
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d


@dataclass
class Trace:
    """What one forward pass shows.

    Attributes
    ----------
    order : list of str
        Names of the convolutions and linear layers that ran, in the order of their first call.
    batch_norms : dict
        Layer -> the batch norm that its output goes into directly.
    sizes : dict
        Layer -> first dimension of its input, at each call.
    """

    order: list[str] = field(default_factory=list)
    batch_norms: dict[str, BatchNorm] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)


@torch.no_grad()
def trace(model: nn.Module, example_input: Tensor) -> Trace:
    """Trace a forward pass in eval mode.

    A batch norm belongs to a layer if it is given the very tensor that the layer returned, not
    changed in place since, at each call, and keeps running statistics of the layer's channels;
    names and the order of definition do not matter.
    """
    found = Trace()
    calls: list[_Call] = []

    def before_norm(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, BatchNorm)
        for call in calls:
            if inputs[0] is call.output and _version(inputs[0]) == call.version:
                call.norms.add(norm)

    names = {m: n for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    handles = [
        layer.register_forward_hook(
            lambda layer, inputs, output: calls.append(
                _Call(layer, len(inputs[0]), output, _version(output))
            )
        )
        for layer in names
    ]
    for module in model.modules():
        if isinstance(module, BatchNorm) and module.running_mean is not None:
            handles.append(module.register_forward_pre_hook(before_norm))
    with hooked(handles), evaluating(model):
        answer(model, example_input)
    owners: dict[nn.Conv2d | nn.Linear, set[BatchNorm | None]] = {}
    for call in calls:
        channels_second = isinstance(call.layer, nn.Conv2d) or call.output.dim() == 2
        known = call.norms if call.norms and channels_second else {None}
        owners.setdefault(call.layer, set()).update(known)
        found.sizes.setdefault(names[call.layer], []).append(call.size)
    for layer, norms in owners.items():
        found.order.append(names[layer])
        (owner,) = norms if len(norms) == 1 else (None,)
        if owner is not None:
            found.batch_norms[names[layer]] = owner
    return found


@dataclass
class _Call:
    """One call of a layer, and the batch norms that its output went into."""

    layer: nn.Conv2d | nn.Linear
    size: int
    output: Tensor
    version: int
    norms: set[BatchNorm] = field(default_factory=set)


def _version(x: Tensor) -> int:
    """How often a tensor was changed in place, which inference mode does not count."""
    return 0 if x.is_inference() else x._version
