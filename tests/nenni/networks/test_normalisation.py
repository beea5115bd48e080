import torch
from torch import Tensor

from nenni.networks.normalisation import Normalise


def images(n: int, *shape: int) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))


def test_one_number_normalises_all_channels() -> None:
    x = images(2, 3, 8, 8)
    torch.testing.assert_close(Normalise([0.5], [0.25])(x), 4 * x - 2)
