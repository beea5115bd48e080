"""Make networks from their architectures, which they remember."""

from torch import nn

from nenni.core import plugins
from nenni.networks.architecture import Architecture

_MEMORY = "_nenni_architecture"
"""Attribute of a network: plain data, so that copies of the network have it too."""


def build(architecture: Architecture) -> nn.Module:
    """A network in eval mode, its weights drawn from torch's global generator.

    Raises
    ------
    UserError
        If the architecture leaves open what its model needs; see the model for more.
    """
    architecture.check_complete()
    assert architecture.model is not None
    make = plugins.load("model", architecture.model["name"])
    arguments = plugins.arguments(dict(architecture.model))
    network: nn.Module = make(architecture.input_shape, architecture.n_classes, **arguments)
    remember(network, architecture)
    return network.eval()


def remember(network: nn.Module, architecture: Architecture) -> None:
    """Note in a network what it is made from."""
    setattr(network, _MEMORY, architecture)


def architecture_of(network: nn.Module) -> Architecture:
    """What is known of how a network was made; nothing may be."""
    found = getattr(network, _MEMORY, None)
    return found if isinstance(found, Architecture) else Architecture()
