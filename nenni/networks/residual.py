"""What the residual networks share: blocks, stages, initial weights."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.types import blocks


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut (He et al., CVPR 2016, figure 2)."""

    def __init__(self, c_in: int, c_out: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = conv3x3(c_in, c_out, stride)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(c_out, c_out)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.shortcut = shortcut
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """relu(residual + shortcut)."""
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        output: Tensor = self.relu2(residual + self.shortcut(x))
        return output


class PreactBlock(nn.Module, ABC):
    """Batch norm and ReLU before each of two 3x3 convolutions (He et al., ECCV 2016, figure 1b)."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(c_in)
        self.relu1 = nn.ReLU()
        self.conv1 = conv3x3(c_in, c_out, stride)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.relu2 = nn.ReLU()
        self.conv2 = conv3x3(c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        """Residual + shortcut."""
        active = self.relu1(self.bn1(x))
        residual: Tensor = self.conv2(self.relu2(self.bn2(self.conv1(active))))
        return residual + self.skip(x, active)

    @abstractmethod
    def skip(self, x: Tensor, active: Tensor) -> Tensor:
        """Give the shortcut: x or, where the shape changes, a 1x1 convolution of relu(bn(x))."""


def blocks_in(model: str, depth: int, others: int) -> int:
    """Blocks of each of three stages in a network of so many layers, `others` of them outside.

    Raises
    ------
    UserError
        If no network has this depth; `model` names it.
    """
    try:
        return blocks(depth, others)
    except ValueError as error:
        raise UserError(f"{model}: depth {error}, got {depth}") from None


def stages(
    block: Callable[[int, int, int], nn.Module], channels: int, widths: list[int], blocks: int
) -> list[nn.Sequential]:
    """One sequence of blocks for each width, all but the first halving the image.

    Parameters
    ----------
    block : callable
        (input channels, output channels, stride) -> block.
    channels : int
        Input channels of the first.
    widths : list of int
        Output channels of each.
    blocks : int
        Blocks in each.
    """
    return [
        nn.Sequential(
            block(c_in, c_out, 1 if i == 0 else 2),
            *(block(c_out, c_out, 1) for _ in range(blocks - 1)),
        )
        for i, (c_in, c_out) in enumerate(zip([channels, *widths], widths, strict=False))
    ]


def initialised(model: nn.Sequential) -> nn.Sequential:
    """Draw the weights of the convolutions anew: He et al. (ICCV 2015), equation 14.

    The variance is 2 / (kernel size * output channels), as in the code of the papers on
    pre-activation and wide networks; biases are 0.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    return model


def conv3x3(c_in: int, c_out: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution that keeps the size of the image, but for its stride."""
    return nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
