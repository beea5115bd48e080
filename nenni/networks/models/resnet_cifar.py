"""The residual networks for CIFAR of He et al. (CVPR 2016, section 4.2)."""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from nenni.core.types import CifarDepth, Deviation, Number, Values
from nenni.networks.normalisation import normalisation
from nenni.networks.residual import BasicBlock, blocks_in, conv3x3, initialised, stages

__all__ = ["resnet_cifar"]


def resnet_cifar(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    depth: CifarDepth = 20,
    mean: Values[Number] = [0.0],  # noqa: B006 - read from the source as a default
    std: Values[Deviation] = [1.0],  # noqa: B006
) -> nn.Sequential:
    """Three stages of (depth - 2) / 6 basic blocks with 16, 32 and 64 channels.

    The modules are named as in the checkpoints of github.com/akamaster/pytorch_resnet_cifar10.

    Parameters
    ----------
    input_shape : tuple
        (C, H, W) of the images.
    n_classes : int
        Number of outputs.
    depth : int
        Number of layers with weights, 6 n + 2: 20, 32, 44, 56.
    mean, std : list of float
        Normalisation of the images, one number or one for each channel.

    Raises
    ------
    UserError
        If no network has this depth, or the normalisation does not fit the images.
    """
    channels = input_shape[0]
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        normalise=normalisation(channels, mean, std),
        conv1=conv3x3(channels, 16),
        bn1=nn.BatchNorm2d(16),
        relu1=nn.ReLU(),
    )
    for i, stage in enumerate(
        stages(_block, 16, [16, 32, 64], blocks_in("resnet_cifar", depth, 2)), 1
    ):
        layers[f"layer{i}"] = stage
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["linear"] = nn.Linear(64, n_classes)
    return initialised(nn.Sequential(layers))


def _block(c_in: int, c_out: int, stride: int) -> BasicBlock:
    shortcut = nn.Identity() if c_in == c_out else _Subsample((c_out - c_in) // 2)
    return BasicBlock(c_in, c_out, stride, shortcut)


class _Subsample(nn.Module):
    """Every second pixel, with channels of zeros added on both sides ("option A")."""

    def __init__(self, added: int) -> None:
        super().__init__()
        self.added = added

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added))
