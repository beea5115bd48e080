"""Which modules of a network run, and on which shapes."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Ran(Generic[M]):
    """A module that ran, and the shapes of one input and output, without the batch.

    Attributes
    ----------
    name : str
        In the network.
    layer : Module
        Itself.
    x, z : Size
        Shapes at its first call.
    varies : bool
        Whether other calls have others.
    """

    name: str
    layer: M
    x: torch.Size
    z: torch.Size
    varies: bool = False

    def check_shape(self) -> None:
        """Refuse one that runs on several shapes, where each element has a number of its own.

        Raises
        ------
        UserError
            If it does.
        """
        if self.varies:
            raise UserError(
                f"{self.name} runs on several shapes, so that its elements cannot each have a "
                "noise of their own: give each place of the network a module of its own"
            )


@torch.no_grad()
def modules_that_run(
    network: nn.Module, image: Tensor, kinds: type[M] | tuple[type[M], ...]
) -> list[Ran[M]]:
    """The modules of some kinds, in the order of their first call.

    Raises
    ------
    UserError
        If there is none.
    """
    found: dict[nn.Module, Ran[M]] = {}

    def hook(name: str, layer: M, inputs: tuple[Tensor, ...], z: Tensor) -> None:
        now = Ran(name, layer, inputs[0].shape[1:], z.shape[1:])
        first = found.setdefault(layer, now)
        if (first.x, first.z) != (now.x, now.z):
            found[layer] = replace(first, varies=True)

    handles = [
        layer.register_forward_hook(partial(hook, name))
        for name, layer in network.named_modules()
        if isinstance(layer, kinds)
    ]
    with hooked(handles), evaluating(network):
        answer(network, image)
    if not found:
        asked = kinds if isinstance(kinds, tuple) else (kinds,)
        listed = " or ".join(kind.__name__ for kind in asked)
        raise UserError(f"no module {listed} of {type(network).__name__} ran, to be changed")
    return [*found.values()]


def layers_that_run(network: nn.Module, image: Tensor) -> list[Ran[nn.Conv2d | nn.Linear]]:
    """The convolutions and linear layers, as :func:`modules_that_run`."""
    return modules_that_run(network, image, (nn.Conv2d, nn.Linear))
