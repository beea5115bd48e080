"""The exact network, z in place of z'."""

from torch import nn

from nenni.adversary.attack import Injected
from nenni.adversary.through import Through

__all__ = ["exact_path"]


def exact_path(model: Injected) -> nn.Module:
    """The wrapped layers alone: what the noise hides, an attack on the network without it may find.

    Parameters
    ----------
    model : Module
        An injected network.
    """
    return Through(model, "exact")
