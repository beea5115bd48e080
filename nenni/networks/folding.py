"""Batch norms folded into the convolutions before them."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nenni.networks.asking import answer, answers_alike
from nenni.networks.copying import copied
from nenni.networks.tracing import trace


@torch.no_grad()
def folded(model: nn.Module, example_input: Tensor) -> nn.Module:
    """Copy with batch norms folded into the convolutions before them, where nothing else changes.

    Parameters
    ----------
    model : Module
        A plain classifier in eval mode.
    example_input : Tensor
        A batch (N, C, H, W) that it accepts.
    """
    quick = copied(model)
    expected = answer(model, example_input)
    for name, norm in trace(quick, example_input).batch_norms.items():
        layer = quick.get_submodule(name)
        if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            fused, nothing = fuse_conv_bn_eval(layer, norm), nn.Identity()
            replace(quick, layer, fused)
            replace(quick, norm, nothing)
            if not answers_alike(quick, example_input, expected):
                replace(quick, fused, layer)
                replace(quick, nothing, norm)
    return quick


def replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module in the place of another, under each of its names."""
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if module is old:
            model.set_submodule(name, new)
