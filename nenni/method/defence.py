"""What a defence is to the file of a network."""

from typing import Any, Protocol

from torch import Tensor, nn


class DefenceFormat(Protocol):
    """Changes the layers of a network; see :mod:`nenni.defences`. The class itself is the plugin.

    It draws nothing: a file holds all tensors of a network, those of its defence among them.
    """

    @staticmethod
    def describe(network: nn.Module) -> dict[str, Any] | None:
        """What else the structure of a defended network needs, as plain values; or None.

        None is for a network that this defence is not in.
        """

    @staticmethod
    def restore(model: nn.Module, described: dict[str, Any], example: Tensor) -> nn.Module:
        """Copy of a plain network with the structure that :meth:`describe` saw.

        Its tensors are filled in afterwards. `example` is one image, (1, ...), that the model
        accepts. A ValueError or a TypeError says that `described` cannot be read.
        """
