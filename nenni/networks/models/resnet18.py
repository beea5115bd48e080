"""ResNet-18 for small images: a 3x3 stem without pooling."""

from collections import OrderedDict

from torch import nn

from nenni.core.types import Deviation, Number, Values, Width
from nenni.networks.normalisation import normalisation
from nenni.networks.residual import BasicBlock, conv3x3, initialised, stages

__all__ = ["resnet18"]


def resnet18(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    width: Width = 64,
    mean: Values[Number] = [0.0],  # noqa: B006 - read from the source as a default
    std: Values[Deviation] = [1.0],  # noqa: B006
) -> nn.Sequential:
    """Four stages of two basic blocks (He et al., CVPR 2016, table 1) on the full image.

    The modules are named as in github.com/kuangliu/pytorch-cifar.

    Parameters
    ----------
    input_shape : tuple
        (C, H, W) of the images.
    n_classes : int
        Number of outputs.
    width : int
        Channels of the first stage; the others have 2, 4 and 8 times as many.
    mean, std : list of float
        Normalisation of the images, one number or one for each channel.

    Raises
    ------
    UserError
        If the normalisation does not fit the images.
    """
    channels = input_shape[0]
    widths = [width, 2 * width, 4 * width, 8 * width]
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        normalise=normalisation(channels, mean, std),
        conv1=conv3x3(channels, width),
        bn1=nn.BatchNorm2d(width),
        relu1=nn.ReLU(),
    )
    for i, stage in enumerate(stages(_block, width, widths, 2), 1):
        layers[f"layer{i}"] = stage
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["linear"] = nn.Linear(widths[-1], n_classes)
    return initialised(nn.Sequential(layers))


def _block(c_in: int, c_out: int, stride: int) -> BasicBlock:
    shortcut = nn.Sequential()
    if c_in != c_out:
        shortcut.append(nn.Conv2d(c_in, c_out, 1, stride, bias=False))
        shortcut.append(nn.BatchNorm2d(c_out))
    return BasicBlock(c_in, c_out, stride, shortcut)
