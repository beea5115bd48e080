"""Normalisation of the input, the first layer of a network."""

import torch
from torch import Tensor, nn

from nenni.networks.channels import check_each


class Normalise(nn.Module):
    """(x - mean) / std per channel, of images (N, C, H, W).

    The numbers belong to the architecture, not to the state: state dicts are those of the network
    without it.

    Parameters
    ----------
    mean, std : list of float
        One number for all channels, or one for each.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            buffer = torch.tensor(values, dtype=torch.get_default_dtype()).view(1, -1, 1, 1)
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a batch."""
        return (x - self.mean) / self.std


def normalisation(channels: int, mean: list[float], std: list[float]) -> nn.Module:
    """`Normalise`, or nothing at all where the mean is 0 and the std 1.

    Raises
    ------
    UserError
        If there is neither one number nor one for each channel.
    """
    for key, values in (("mean", mean), ("std", std)):
        check_each(key, values, channels)
    if not any(mean) and all(value == 1 for value in std):
        return nn.Identity()
    return Normalise(mean, std)
