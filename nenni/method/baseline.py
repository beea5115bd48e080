"""What a baseline defence is, and the layers that one puts into a network.

Baselines stand beside the method: what others proposed, and controls. Their layers are known by
:class:`BaselineLayer`, whoever made them: what draws, what it takes and at which bits, a layer says
itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.method.quantise import NOT_ROUNDED
from nenni.networks.asking import answer
from nenni.networks.computed import compute_anew
from nenni.networks.folding import replace as put_in_place
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating
from nenni.networks.standing_in import StandingIn

M = TypeVar("M", bound=nn.Module)


class Baseline(ABC):
    """A defence as a config chooses it; see :mod:`nenni.defences.baselines`.

    A frozen dataclass, whose fields are what a config may set.

    Attributes
    ----------
    randomised : bool
        Whether two passes differ while its noise is on. A baseline that draws has a noise that
        :func:`nenni.set_noise` switches off.
    jumps : bool
        Whether it rounds or chooses by hard masks, so that its gradient is that of no small step.
    """

    randomised: ClassVar[bool] = False
    jumps: ClassVar[bool] = False

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


class WrappedLayer(StandingIn, BaselineLayer):
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


class AlternatingLayer(BaselineLayer):
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


def put_around(network: nn.Module, layer: nn.Module, wrapper: BaselineLayer) -> None:
    """Put a baseline's layer in the place of another, under each of its names."""
    wrapper.train(layer.training)
    put_in_place(network, layer, wrapper)


def baseline_layers(network: nn.Module) -> Iterator[tuple[str, BaselineLayer]]:
    """All (name, layer) that a baseline put into a network."""
    return ((name, m) for name, m in network.named_modules() if isinstance(m, BaselineLayer))
