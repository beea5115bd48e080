"""A faster copy of a network for attacks; what they find is judged by the network itself."""

import torch
from torch import Tensor, nn

from nenni.adversary.outputs import spread
from nenni.method.baseline import baseline_layers
from nenni.method.injection import noisy_layers
from nenni.networks.folding import folded, replace
from nenni.networks.image_convolution import ImageConv2d, takes_images

NOT_COPIED = (
    "a faster copy did not have the network's outputs and gradients: the network itself was "
    "attacked"
)
_SAME = 1e-2
"""Largest share of a gradient's length, or of the logits' spread, that is rounding alone."""
_AWAY = 0.05
"""How far from the images the copy is tried too."""


def faster(model: nn.Module, example_input: Tensor) -> tuple[nn.Module, str]:
    """Frozen copy, laid out channels last, with batch norms folded into convolutions before them.

    The gradient for the images is taken by :class:`nenni.networks.image_convolution.ImageConv2d`.
    The copy is proved before it is used: near the images it has to give the network's outputs and
    its gradients, whatever the network is made of. A defended network is returned as it is: the
    scores of an injected one go through the batch norms, and where a rounding differs its masks
    may; a baseline may round, rank or draw.

    Parameters
    ----------
    model : Module
        A classifier in eval mode that gives logits; it is not changed.
    example_input : Tensor
        A batch (N, C, H, W) that it accepts.

    Returns
    -------
    network : Module
        The copy, or the model itself.
    note : str
        Why it is the model itself, where that is not as it should be.
    """
    if any(noisy_layers(model)) or any(baseline_layers(model)):
        return model, ""
    try:
        quick = _copy(model, example_input)
        if _agree(model, quick, example_input):
            return quick, ""
    except Exception:
        return model, NOT_COPIED
    return model, NOT_COPIED


@torch.no_grad()
def _copy(model: nn.Module, example_input: Tensor) -> nn.Module:
    quick = folded(model, example_input)
    for layer in [module for module in quick.modules() if takes_images(module)]:
        replace(quick, layer, ImageConv2d(layer))
    return quick.requires_grad_(False).to(memory_format=torch.channels_last)


def _agree(model: nn.Module, quick: nn.Module, images: Tensor) -> bool:
    """Whether both have the same outputs on the images and at points near them, and gradients.

    Gradients are compared at most of the points only: where a rounding takes a ReLU's input to the
    other side of zero, a gradient jumps although the functions are the same.
    """
    draws = torch.Generator(images.device).manual_seed(0)
    u = torch.rand(images.shape, generator=draws, device=images.device).to(images)
    points = torch.cat([images, (images + _AWAY * (2 * u - 1)).clamp(0, 1)])
    expected, slope = _look(model, points)
    found, its_slope = _look(quick, points)
    off = (slope - its_slope).flatten(1).norm(dim=1)
    near = off <= _SAME * slope.flatten(1).norm(dim=1)
    same = bool((found - expected).abs().max() <= _SAME * spread(expected))
    return same and bool(2 * near.sum() > len(points))


def _look(model: nn.Module, points: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and the gradient of a fixed mixture of them."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        logits = model(points.clone())
        mixture = torch.arange(logits.shape[1], device=logits.device).to(logits).sin()
        (slope,) = torch.autograd.grad((logits * mixture).sum(), points)
    return logits.detach(), slope
