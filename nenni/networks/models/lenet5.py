"""The MNIST network of adversarial training papers."""

from collections import OrderedDict

from torch import nn

from nenni.core.types import Width

__all__ = ["lenet5"]


def lenet5(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    hidden: Width = 200,
) -> nn.Module:
    """Two convolutions with max pooling and two linear layers, 0.65 million weights on digits.

    3x3 convolutions to 32 and 64 channels, each with ReLU and 2x2 max pooling, as advertorch trains
    it under the name LeNet5 (Ding, Wang, Jin: advertorch, 2019); Madry et al. (ICLR 2018) have 5x5
    ones and 1,024 hidden neurons.

    Parameters
    ----------
    input_shape : tuple
        (C, H, W).
    n_classes : int
        Number of logits.
    hidden : int
        Neurons of the first linear layer.
    """
    channels, height, width = input_shape
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 32, 3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(32, 64, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            linear1=nn.Linear(64 * (height // 4) * (width // 4), hidden),
            relu3=nn.ReLU(),
            linear2=nn.Linear(hidden, n_classes),
        )
    )
