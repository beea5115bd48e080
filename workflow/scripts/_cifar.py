"""Trained CIFAR-10 ResNets and their images, as the scripts beside this file read them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nenni.errors import UserError
from nenni.models.resnet_cifar import resnet_cifar

DEPTHS = {"resnet20": 20, "resnet32": 32}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def read_images(data: Path, split: str) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) in [0, 1] and labels from ``data/cifar10/<split>.npz``."""
    file = data / "cifar10" / f"{split}.npz"
    if not file.exists():
        raise UserError(f"{file}: is missing; it should hold x (uint8 NHWC) and y (int64)")
    with np.load(file, allow_pickle=False) as arrays:
        images = torch.from_numpy(arrays["x"]).permute(0, 3, 1, 2).float() / 255
        return images.contiguous(), torch.from_numpy(arrays["y"])


def read_network(weights: Path, name: str) -> nn.Module:
    """A network of github.com/akamaster/pytorch_resnet_cifar10 from its checkpoint."""
    files = sorted(weights.glob(f"{name}-*.th"))
    if not files:
        raise UserError(f"{weights}: has no checkpoint {name}-*.th")
    state = torch.load(files[0], weights_only=True, map_location="cpu")["state_dict"]
    model = resnet_cifar((3, 32, 32), 10, depth=DEPTHS[name], mean=MEAN, std=STD)
    model.load_state_dict({key.removeprefix("module."): t for key, t in state.items()})
    return model.eval()
