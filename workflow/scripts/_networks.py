"""Trained networks and images of others, as the scripts beside this file read them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.io import foreign_tensors
from nenni.networks.models.lenet5 import lenet5
from nenni.networks.models.resnet18 import resnet18
from nenni.networks.models.resnet_cifar import resnet_cifar
from nenni.networks.normalisation import Normalise

DEPTHS = {"resnet20": 20, "resnet32": 32}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def read_images(data: Path, split: str, dataset: str = "cifar10") -> tuple[Tensor, Tensor]:
    """Images (N, C, H, W) in [0, 1] and labels from ``data/<dataset>/<split>.npz``."""
    file = data / dataset / f"{split}.npz"
    if not file.exists():
        raise UserError(f"{file}: is missing; it should hold x (uint8 NHWC) and y (int64)")
    with np.load(file, allow_pickle=False) as arrays:
        x = arrays["x"]
        x = x if x.ndim == 4 else x[..., None]
        images = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
        return images.contiguous(), torch.from_numpy(arrays["y"])


def read_network(weights: Path, name: str) -> nn.Module:
    """A network of github.com/akamaster/pytorch_resnet_cifar10 from its checkpoint."""
    state = foreign_tensors(_file(weights, f"{name}-*.th"))
    model = resnet_cifar((3, 32, 32), 10, depth=DEPTHS[name], mean=MEAN, std=STD)
    model.load_state_dict({key.removeprefix("module."): t for key, t in state.items()})
    return model.eval()


def read_lenet5(weights: Path) -> nn.Module:
    """MNIST, adversarially trained at 0.3, of github.com/BorealisAI/advertorch."""
    model = lenet5((1, 28, 28), 10)
    model.load_state_dict(foreign_tensors(_file(weights, "mnist_lenet5_advtrained.pt")))
    return model.eval()


def read_resnet2b(weights: Path) -> nn.Module:
    """CIFAR-10, adversarially trained at 2/255, of github.com/Verified-Intelligence."""
    model = resnet2b()
    model.load_state_dict(foreign_tensors(_file(weights, "resnet2b.pth")))
    return model.eval()


def resnet2b() -> nn.Module:
    """The same with fresh weights, for images in [0, 1]."""
    return _ResNet2b()


def read_resnet18(weights: Path) -> nn.Module:
    """CIFAR-10, trained by this project with FGSM-RS at 8/255, the full width."""
    state = foreign_tensors(_file(weights, "resnet18_fgsmrs_cifar10.safetensors"))
    model = resnet18((3, 32, 32), 10, mean=[0.4914, 0.4822, 0.4465], std=[0.2471, 0.2435, 0.2616])
    model.load_state_dict({k: t.float() if t.is_floating_point() else t for k, t in state.items()})
    return model.eval()


ATTACKED: dict[str, tuple[Callable[[Path], nn.Module], str, float]] = {
    "resnet18_fgsmrs": (read_resnet18, "cifar10", 8 / 255),
    "resnet2b": (read_resnet2b, "cifar10", 2 / 255),
    "lenet5": (read_lenet5, "mnist", 0.3),
    "resnet20": (partial(read_network, name="resnet20"), "cifar10", 1 / 255),
}
"""Name -> how it is read, its dataset, and the L-inf radius: that which it was trained at, and for
an undefended one a small one."""


@dataclass(frozen=True)
class Subject:
    """A network with its images and radius."""

    name: str
    network: nn.Module
    images: Tensor
    labels: Tensor
    eps: float


def subjects(
    names: Sequence[str], weights: Path, data: Path, examples: int, device: str = "cpu"
) -> Iterator[Subject]:
    """Networks of :data:`ATTACKED` whose weights lie in a folder, each with its first images."""
    for name in names:
        read, dataset, eps = ATTACKED[name]
        x, y = (part[:examples].to(device) for part in read_images(data, "test", dataset))
        yield Subject(name, read(weights).to(device), x, y, eps)


def _file(weights: Path, pattern: str) -> Path:
    files = sorted(weights.glob(pattern))
    if not files:
        raise UserError(f"{weights}: has no checkpoint {pattern}")
    return files[0]


class _Block(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.Conv2d(channels_in, channels, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))


class _ResNet2b(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise([0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616])
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.layer1 = nn.Sequential(_Block(8, 16, 2), _Block(16, 16, 1))
        self.linear1 = nn.Linear(1024, 100)
        self.linear2 = nn.Linear(100, 10)

    def forward(self, x: Tensor) -> Tensor:
        features = self.layer1(F.relu(self.conv1(self.normalise(x)))).flatten(1)
        return self.linear2(F.relu(self.linear1(features)))  # type: ignore[no-any-return]
