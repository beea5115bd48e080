"""Wide residual networks (Zagoruyko & Komodakis, BMVC 2016)."""

from collections import OrderedDict

from torch import Tensor, nn

from nenni.core.types import Deviation, Few, Number, Values, WideDepth
from nenni.networks.normalisation import normalisation
from nenni.networks.residual import PreactBlock, blocks_in, conv3x3, initialised, stages

__all__ = ["wide_resnet"]


def wide_resnet(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    depth: WideDepth = 34,
    widen: Few = 10,
    mean: Values[Number] = [0.0],  # noqa: B006 - read from the source as a default
    std: Values[Deviation] = [1.0],  # noqa: B006
) -> nn.Sequential:
    """WRN-depth-widen: three stages of (depth - 4) / 6 pre-activation blocks, without dropout.

    The modules are named as in github.com/RobustBench/robustbench.

    Parameters
    ----------
    input_shape : tuple
        (C, H, W) of the images.
    n_classes : int
        Number of outputs.
    depth : int
        Number of convolutions, 6 n + 4: 16, 22, 28, 34, 70.
    widen : int
        Factor on the 16, 32 and 64 channels of the stages.
    mean, std : list of float
        Normalisation of the images, one number or one for each channel.

    Raises
    ------
    UserError
        If no network has this depth, or the normalisation does not fit the images.
    """
    channels = input_shape[0]
    widths = [16 * widen, 32 * widen, 64 * widen]
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        normalise=normalisation(channels, mean, std), conv1=conv3x3(channels, 16)
    )
    for i, stage in enumerate(stages(WideBlock, 16, widths, blocks_in("wide_resnet", depth, 4)), 1):
        layers[f"block{i}"] = nn.Sequential(OrderedDict(layer=stage))
    layers["bn1"] = nn.BatchNorm2d(widths[-1])
    layers["relu"] = nn.ReLU()
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(widths[-1], n_classes)
    return initialised(nn.Sequential(layers))


class WideBlock(PreactBlock):
    """A block whose shortcut is a 1x1 convolution where the number of channels changes."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__(c_in, c_out, stride)
        same = c_in == c_out
        self.convShortcut = None if same else nn.Conv2d(c_in, c_out, 1, stride, bias=False)

    def skip(self, x: Tensor, active: Tensor) -> Tensor:
        """X, or the convolution of relu(bn(x))."""
        return x if self.convShortcut is None else self.convShortcut(active)
