"""Pre-activation ResNet-18 for small images (He et al., ECCV 2016)."""

from collections import OrderedDict

from torch import Tensor, nn

from nenni.core.types import Deviation, Number, Values, Width
from nenni.networks.normalisation import normalisation
from nenni.networks.residual import PreactBlock, conv3x3, initialised, stages

__all__ = ["preact_resnet18"]


def preact_resnet18(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    width: Width = 64,
    mean: Values[Number] = [0.0],  # noqa: B006 - read from the source as a default
    std: Values[Deviation] = [1.0],  # noqa: B006
) -> nn.Sequential:
    """Four stages of two pre-activation blocks, then batch norm and ReLU.

    The modules are named as in github.com/RobustBench/robustbench, whose network with
    ``PreActBlockV2`` and ``bn_before_fc`` this is; its other variants share the names.

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
        normalise=normalisation(channels, mean, std), conv1=conv3x3(channels, width)
    )
    for i, stage in enumerate(stages(_Block, width, widths, 2), 1):
        layers[f"layer{i}"] = stage
    layers["bn"] = nn.BatchNorm2d(widths[-1])
    layers["relu"] = nn.ReLU()
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["linear"] = nn.Linear(widths[-1], n_classes)
    return initialised(nn.Sequential(layers))


class _Block(PreactBlock):
    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__(c_in, c_out, stride)
        self.shortcut = nn.Sequential()
        if c_in != c_out:
            self.shortcut.append(nn.Conv2d(c_in, c_out, 1, stride, bias=False))

    def skip(self, x: Tensor, active: Tensor) -> Tensor:
        return self.shortcut(active) if len(self.shortcut) else x
