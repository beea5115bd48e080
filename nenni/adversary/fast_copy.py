"""A faster copy of a network for attacks; what they find is judged by the network itself."""

import torch
from torch import Tensor, nn

from nenni.method.injection import noisy_layers
from nenni.networks.folding import folded, replace
from nenni.networks.image_convolution import ImageConv2d, takes_images


@torch.no_grad()
def faster(model: nn.Module, example_input: Tensor) -> nn.Module:
    """Frozen copy, laid out channels last, with batch norms folded into convolutions before them.

    The gradient for the images is taken by :class:`nenni.networks.image_convolution.ImageConv2d`.

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
        replace(quick, layer, ImageConv2d(layer))
    return quick.requires_grad_(False).to(memory_format=torch.channels_last)
