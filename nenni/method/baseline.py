"""What a baseline defence is, and the layers that one puts into a network.

Baselines stand beside the method: what others proposed, and controls. Their layers are known by
:class:`BaselineLayer`, whoever made them: what draws, what it takes and at which bits, a layer says
itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.method.quantise import NOT_ROUNDED
from nenni.networks.asking import answer
from nenni.networks.computed import compute_anew
from nenni.networks.folding import replace
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating


class Baseline(ABC):
    """A defence as a config chooses it; see :mod:`nenni.defences.baselines`.

    A frozen dataclass, whose fields are what a config may set.

    Attributes
    ----------
    randomised : bool
        Whether two passes differ while its noise is on. A baseline that draws has a noise that
        :func:`nenni.set_noise` switches off.
    """

    randomised: ClassVar[bool] = False

    @abstractmethod
    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Change a network in place, so that its layers are this baseline's.

        Parameters
        ----------
        network : Module
            A plain one.
        image : Tensor
            One image that it accepts, (1, ...).
        draws : Generator
            For what is drawn once and for all.
        """


@dataclass(frozen=True)
class Added:
    """What a layer does beside its product, for one input.

    Attributes
    ----------
    draws : int
        Random numbers.
    macs, additions, comparisons : int
        Single operations.
    ranked : int
        Numbers of which the k-th largest is found.
    stored : int
        Numbers that are read beside the weights.
    """

    draws: int = 0
    macs: int = 0
    additions: int = 0
    comparisons: int = 0
    ranked: int = 0
    stored: int = 0

    def __add__(self, other: "Added") -> "Added":
        """Both."""
        names = [f.name for f in fields(self)]
        return Added(**{name: getattr(self, name) + getattr(other, name) for name in names})


class BaselineLayer(nn.Module):
    """A module that a baseline put into a network.

    Attributes
    ----------
    baseline : Baseline
        The defence.
    noise : bool
        Whether it draws, if it can: see :func:`nenni.set_noise`.
    """

    def __init__(self, baseline: Baseline) -> None:
        super().__init__()
        self.baseline, self.noise = baseline, True

    @property
    def draws(self) -> bool:
        """Whether two passes differ."""
        return self.baseline.randomised and self.noise

    def calibrate(self, x: Tensor) -> None:
        """Set what hangs on data, by a batch of inputs (N, ...); nothing by default."""

    @abstractmethod
    def added(self, x: Tensor, z: Tensor) -> Added:
        """What it does beside a product, with one input x and its output z, both (1, ...)."""


class WrappedLayer(BaselineLayer):
    """A convolution or a linear layer in the hands of a baseline.

    Attributes
    ----------
    wrapped : Module
        The original layer, z = W x + b.
    exact_bits : int
        Bits of its weights and inputs; 32: no rounding.
    n_of_m : tuple of int or None
        N and M where at most N of every M neighbouring weights are not zero.
    """

    wrapped: nn.Conv2d | nn.Linear
    exact_bits: int = NOT_ROUNDED
    n_of_m: tuple[int, int] | None = None

    def __init__(self, baseline: Baseline, wrapped: nn.Conv2d | nn.Linear) -> None:
        super().__init__(baseline)
        own = type(wrapped).forward
        if own not in (nn.Conv2d.forward, nn.Linear.forward):
            raise UserError(
                f"{type(wrapped).__name__} has a forward pass of its own, whose weights "
                f"{type(baseline).__name__} cannot change"
            )
        self.wrapped = wrapped
        self.train(wrapped.training)

    def __getattr__(self, name: str) -> Any:
        """What the layer in its place answered: code of others reads its weight, type and sizes."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "wrapped":
                raise
            return getattr(self.wrapped, name)

    def own_weight(self) -> Tensor:
        """W, as it is now."""
        compute_anew(self.wrapped)
        weight: Tensor = self.wrapped.weight
        return weight

    def used_weight(self) -> Tensor:
        """W, as the layer uses it now; zeros among its entries are counted."""
        return self.own_weight()

    def operate(self, x: Tensor, weight: Tensor) -> Tensor:
        """W x + b with other weights in the place of W."""
        if isinstance(self.wrapped, nn.Conv2d):
            z: Tensor = self.wrapped._conv_forward(x, weight, self.wrapped.bias)
            return z
        return nn.functional.linear(x, weight, self.wrapped.bias)


class AlternatingLayer(WrappedLayer):
    """A layer whose noise is learned in steps of its own, after those of the network.

    See :mod:`nenni.training.noise_step`.
    """

    @abstractmethod
    def learned_noise(self) -> nn.Parameter:
        """What such a step changes."""

    @abstractmethod
    def penalty(self, epoch: int) -> Tensor:
        """What is added to the loss in an epoch, counted from 1."""

    @abstractmethod
    def settle(self) -> None:
        """Bring what a step has changed back to where it may be."""


@dataclass(frozen=True)
class Ran:
    """A layer that ran, with its name and the shapes of one input and output, without the batch."""

    name: str
    layer: nn.Conv2d | nn.Linear
    x: torch.Size
    z: torch.Size


@torch.no_grad()
def layers_that_run(network: nn.Module, image: Tensor) -> list[Ran]:
    """The convolutions and linear layers of a network in the order of their first call.

    Raises
    ------
    UserError
        If there is none.
    """
    found: dict[nn.Module, Ran] = {}

    def hook(
        name: str, layer: nn.Conv2d | nn.Linear, inputs: tuple[Tensor, ...], z: Tensor
    ) -> None:
        found.setdefault(layer, Ran(name, layer, inputs[0].shape[1:], z.shape[1:]))

    handles = [
        layer.register_forward_hook(lambda *call, name=name: hook(name, *call))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    with hooked(handles), evaluating(network):
        answer(network, image)
    if not found:
        raise UserError(f"no convolution or linear layer of {type(network).__name__} ran")
    return [*found.values()]


def put_around(network: nn.Module, layer: nn.Module, wrapper: BaselineLayer) -> None:
    """Put a baseline's layer in the place of another, under each of its names."""
    wrapper.train(layer.training)
    replace(network, layer, wrapper)


def baseline_layers(network: nn.Module) -> Iterator[tuple[str, BaselineLayer]]:
    """All (name, layer) that a baseline put into a network."""
    return ((name, m) for name, m in network.named_modules() if isinstance(m, BaselineLayer))
