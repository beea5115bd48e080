"""The cheap network, z~ in place of z'."""

from torch import nn

from nenni.adversary.attack import Injected
from nenni.adversary.through import Through

__all__ = ["approximate_path"]


def approximate_path(model: Injected) -> nn.Module:
    """No mask, and no jump where a neuron changes between exact and approximate.

    Parameters
    ----------
    model : Module
        An injected network.
    """
    return Through(model, "approximate")
