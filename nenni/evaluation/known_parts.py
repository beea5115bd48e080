"""Whether a network is made of parts alone that are known to remember nothing."""

from collections.abc import Iterator

import torch.nn.modules.module as torch_module
from torch import Tensor, nn

from nenni.method.injection import noisy_layers

_KNOWN = (
    "torch.nn.modules.", "torchvision.models.", "torchvision.ops.", "nenni.networks.",
    "nenni.method.", "nenni.defences.",
)  # fmt: skip
_TENSORS = (Tensor, nn.Parameter, nn.Buffer)
_EVERYWHERE = (
    "_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks",
    "_global_backward_pre_hooks",
)  # fmt: skip
_HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
)  # fmt: skip


def made_of_known_parts(model: nn.Module) -> bool:
    """Whether in eval mode nothing but its parameters, its input and torch's seed decides it.

    So it is where each module is of torch's, torchvision's or this package's own classes, with
    their own forward passes, without hooks, holds no function, and its tensors are plain ones
    without hooks. A class that was derived from one of these is none of them. Selections, noises
    and projections of injected layers count too, since plugins may bring some.

    Parameters
    ----------
    model : Module
        Any network.
    """
    if any(getattr(torch_module, name) for name in _EVERYWHERE):
        return False
    return (
        all(map(_is_plain, _tensors(model)))
        and all(map(_is_known, model.modules()))
        and all(
            type(part).__module__.startswith("nenni.method.")
            for _, layer in noisy_layers(model)
            for part in (layer.choices.selection, layer.choices.noise, layer.choices.projection)
        )
    )


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    """Registered ones, and those that modules hold besides."""
    yield from model.parameters()
    yield from model.buffers()
    for module in model.modules():
        yield from (value for value in vars(module).values() if isinstance(value, Tensor))


def _is_plain(tensor: Tensor) -> bool:
    return type(tensor) in _TENSORS and not tensor._backward_hooks


def _is_known(module: nn.Module) -> bool:
    """Of a known class that is as it was, with no function on this instance in place of its own."""
    kind = type(module)
    forward = getattr(kind.forward, "__module__", "")
    return (
        kind.__module__.startswith(_KNOWN)
        and forward.startswith(_KNOWN)
        and not module.training
        and not any(getattr(module, name) for name in _HOOKS)
        and not any(
            callable(value) and not isinstance(value, type) for value in vars(module).values()
        )
    )
