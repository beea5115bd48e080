"""A faster copy of a network for attacks; what they find is judged by the network itself."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nenni.image_gradient import ImageConv2d, takes_images
from nenni.injection import noisy_layers
from nenni.tracing import trace

_SAME = 1e-3
"""Largest change of a logit, in units of the logits' deviation, that is rounding alone."""


@torch.no_grad()
def faster(model: nn.Module, example_input: Tensor) -> nn.Module:
    """Frozen copy, laid out channels last, with batch norms folded into convolutions before them.

    The gradient for the images is taken by :class:`nenni.image_gradient.ImageConv2d`.

    An injected network is returned as it is: its scores go through the batch norms, and where a
    rounding differs its masks may. A batch norm stays where the network would answer otherwise, as
    where the convolution's output goes elsewhere too.

    Parameters
    ----------
    model : Module
        A classifier in eval mode; it is not changed.
    example_input : Tensor
        A batch (N, C, H, W) that it accepts.
    """
    if any(noisy_layers(model)):
        return model
    quick = folded(model, example_input)
    for layer in [module for module in quick.modules() if takes_images(module)]:
        _replace(quick, layer, ImageConv2d(layer))
    return quick.requires_grad_(False).to(memory_format=torch.channels_last)


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
    quick = copy.deepcopy(model)
    expected = model(example_input)
    rounding = _SAME * expected.std().clamp_min(torch.finfo(expected.dtype).tiny)
    for name, norm in trace(quick, example_input).batch_norms.items():
        layer = quick.get_submodule(name)
        if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            fused, nothing = fuse_conv_bn_eval(layer, norm), nn.Identity()
            _replace(quick, layer, fused)
            _replace(quick, norm, nothing)
            if not bool((quick(example_input) - expected).abs().max() <= rounding):
                _replace(quick, fused, layer)
                _replace(quick, nothing, norm)
    return quick


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module in the place of another, under each of its names."""
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if module is old:
            model.set_submodule(name, new)
