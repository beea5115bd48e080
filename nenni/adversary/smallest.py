"""The smallest perturbations found so far, for the attacks that look for one of each image."""

import math

import torch
from torch import Tensor

from nenni.adversary.ball import Ball, length, over_samples
from nenni.core.types import Norm


class Smallest:
    """Per image, the nearest adversarial one that was offered.

    Parameters
    ----------
    inputs : Tensor
        Images (N, C, H, W) from which the distance counts.
    norm : "linf" or "l2"
        The distance.
    """

    def __init__(self, inputs: Tensor, norm: Norm) -> None:
        self.inputs, self.norm = inputs, norm
        self.images = inputs.clone()
        self.size = torch.full((len(inputs),), math.inf, device=inputs.device, dtype=torch.float64)

    def offer(self, images: Tensor, adversarial: Tensor) -> None:
        """Take those of the images that are adversarial, (N,) of bool, and nearer than before."""
        size = length(images - self.inputs, self.norm)
        better = adversarial & (size < self.size)
        self.images = torch.where(over_samples(better, images), images, self.images)
        self.size = torch.where(better, size, self.size)

    def within(self, eps: float) -> Tensor:
        """The images found within eps; elsewhere the inputs."""
        return Ball(self.inputs, eps, self.norm).keep(self.images)
