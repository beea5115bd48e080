"""The network with a sigmoid in place of the step of its masks."""

from torch import nn

from nenni.adversary.attack import Injected
from nenni.adversary.through import Through
from nenni.core.types import Positive

__all__ = ["soft_mask"]


def soft_mask(model: Injected, *, temperature: Positive = 0.1) -> nn.Module:
    """Z' = s z + (1 - s) z~, s the sigmoid of the score's distance from the border of the mask.

    The gradient then knows which way a neuron becomes essential.

    Parameters
    ----------
    model : Module
        An injected network.
    temperature : float
        Width of the sigmoid, in standard deviations of a sample's scores.
    """
    return Through(model, "soft", temperature)
