"""Run a network once and see which layers run, in which order, and what follows them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nenni.layers import BatchNorm
from nenni.modes import evaluating


@dataclass
class Trace:
    """What one forward pass shows.

    Attributes
    ----------
    order : list of str
        Names of the convolutions and linear layers that ran, in the order of their first call.
    batch_norms : dict
        Layer -> the batch norm that its output goes into directly.
    """

    order: list[str] = field(default_factory=list)
    batch_norms: dict[str, BatchNorm] = field(default_factory=dict)


@torch.no_grad()
def trace(model: nn.Module, example_input: Tensor) -> Trace:
    """Trace a forward pass in eval mode.

    A batch norm belongs to a layer if it is given the very tensor that the layer returned, at each
    call, and keeps running statistics; names and the order of definition do not matter.
    """
    found = Trace()
    outputs: dict[str, Tensor] = {}
    owners: dict[str, set[BatchNorm | None]] = {}

    def after_layer(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            if name not in outputs:
                found.order.append(name)
            outputs[name] = output
            owners.setdefault(name, set()).add(None)

        return hook

    def before_norm(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, BatchNorm)
        for name, output in outputs.items():
            if inputs[0] is output:
                owners[name].discard(None)
                owners[name].add(norm)

    handles = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            handles.append(module.register_forward_hook(after_layer(name)))
        if isinstance(module, BatchNorm) and module.running_mean is not None:
            handles.append(module.register_forward_pre_hook(before_norm))
    try:
        with evaluating(model):
            model(example_input)
    finally:
        for handle in handles:
            handle.remove()
    for name, norms in owners.items():
        (owner,) = norms if len(norms) == 1 else (None,)
        if owner is not None:
            found.batch_norms[name] = owner
    return found
