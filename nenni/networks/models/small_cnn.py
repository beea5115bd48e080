"""A small CNN for digits: four convolutions and two linear layers."""

from collections import OrderedDict

from torch import nn

from nenni.core.types import Values, Width

__all__ = ["small_cnn"]


def small_cnn(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    channels: Values[Width] = [16, 16, 32, 32],  # noqa: B006 - read from the source as a default
    hidden: Width = 128,
) -> nn.Sequential:
    """3x3 convolutions with ReLU, the first two with stride 2, then a hidden and an output layer.

    Parameters
    ----------
    input_shape : tuple
        (C, H, W) of the images.
    n_classes : int
        Number of outputs.
    channels : list of int
        Output channels of the convolutions.
    hidden : int
        Width of the hidden linear layer.
    """
    channels_in, height, width = input_shape
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (c_in, c_out) in enumerate(zip([channels_in, *channels], channels, strict=False), 1):
        stride = 2 if i <= 2 else 1
        height, width = -(-height // stride), -(-width // stride)
        layers[f"conv{i}"] = nn.Conv2d(c_in, c_out, 3, stride, padding=1)
        layers[f"relu{i}"] = nn.ReLU()
    layers["flatten"] = nn.Flatten()
    layers["fc1"] = nn.Linear(channels[-1] * height * width, hidden)
    layers[f"relu{len(channels) + 1}"] = nn.ReLU()
    layers["fc2"] = nn.Linear(hidden, n_classes)
    return nn.Sequential(layers)
