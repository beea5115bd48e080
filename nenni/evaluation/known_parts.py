"""Whether a network is made of parts alone that are known to remember nothing."""

import torch.nn.modules.module as torch_module
from torch import Tensor, nn

from nenni.method.injection import noisy_layers

_KNOWN = (
    "torch.nn.modules.", "torchvision.models.", "torchvision.ops.", "nenni.networks.",
    "nenni.method.",
)  # fmt: skip
_OTHERWISE = ("torch.nn.modules.transformer",)
"""Modules of torch that call a function of whoever made them."""
_TENSORS = (Tensor, nn.Parameter, nn.Buffer)
_EVERYWHERE = ("_global_forward_hooks", "_global_forward_pre_hooks")


def made_of_known_parts(model: nn.Module) -> bool:
    """Whether in eval mode nothing but its parameters, its input and torch's seed decides it.

    So it is where each module is of torch's, torchvision's or this package's own classes, without
    hooks, with a forward pass of its class, and its tensors are plain ones. A class that was
    derived from one of these is none of them. Selections and noises of injected layers count too,
    since plugins may bring some.

    Parameters
    ----------
    model : Module
        Any network.
    """
    if any(getattr(torch_module, name) for name in _EVERYWHERE):
        return False
    tensors = [*model.parameters(), *model.buffers()]
    return (
        all(type(tensor) in _TENSORS for tensor in tensors)
        and all(map(_is_known, model.modules()))
        and all(
            type(part).__module__.startswith("nenni.method.")
            for _, layer in noisy_layers(model)
            for part in (layer.choices.selection, layer.choices.noise, layer.choices.projection)
        )
    )


def _is_known(module: nn.Module) -> bool:
    home = type(module).__module__
    is_usual = not (module.training or module._forward_hooks or module._forward_pre_hooks)
    is_known = home.startswith(_KNOWN) and home not in _OTHERWISE
    return is_known and is_usual and "forward" not in vars(module)
