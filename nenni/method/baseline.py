"""What a baseline defence is, and the layers that one puts into a network.

Baselines stand beside the method: what others proposed, and controls. Their layers are known by
:class:`BaselineLayer`, whoever made them: what draws, what it takes and at which bits, a layer says
itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.types import Pattern
from nenni.method.layer_patterns import chosen, kind_of
from nenni.method.quantise import NOT_ROUNDED
from nenni.method.ran import M, Ran
from nenni.networks.computed import compute_anew
from nenni.networks.folding import replace as put_in_place
from nenni.networks.standing_in import StandingIn


@dataclass(frozen=True, kw_only=True)
class Baseline(ABC):
    """A defence as a config chooses it; see :mod:`nenni.defences.baselines`.

    A frozen dataclass, whose fields are what a config may set.

    Parameters
    ----------
    layers : sequence of str
        Patterns of names (``layer[34].*``) or types (``type:Linear``) among the layers that it can
        change, those to leave alone with a leading ``!``; later patterns win. Empty, or where the
        first pattern excludes: starting from those that it changes by itself.

    Attributes
    ----------
    randomised : bool
        Whether two passes differ while its noise is on. A baseline that draws has a noise that
        :func:`nenni.set_noise` switches off.
    jumps : bool
        Whether it rounds or chooses by hard masks, so that its gradient is that of no small step.
    """

    layers: Sequence[Pattern] = ()
    randomised: ClassVar[bool] = False
    jumps: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if isinstance(self.layers, str):
            raise UserError(f"layers should be a sequence of patterns, such as ({self.layers!r},)")
        object.__setattr__(self, "layers", tuple(self.layers))

    def chosen(self, ran: list[Ran[M]], usual: slice = slice(None)) -> list[Ran[M]]:
        """Those of the modules that it can change that ``layers`` choose.

        Parameters
        ----------
        ran : list of Ran
            All that it can change, in the order in which they ran.
        usual : slice
            Those that it changes by itself.

        Raises
        ------
        UserError
            If a pattern matches none of them, or none is left.
        """
        kinds = {each.name: kind_of(each.layer) for each in ran}
        wanted = chosen(self.layers, kinds, {each.name for each in ran[usual]})
        if not wanted:
            raise UserError(f"layers: {', '.join(self.layers)} leave none of: {', '.join(kinds)}")
        return [each for each in ran if each.name in wanted]

    @abstractmethod
    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Change a network in place, so that the :meth:`chosen` layers are this baseline's.

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

    @abstractmethod
    def original(self) -> nn.Module:
        """The module in whose place it stands, for :func:`nenni.remove`."""

    def calibrate(self, *calls: Tensor) -> None:
        """Set what hangs on data, by the inputs (N, ...) of all calls so far in a pass of a batch.

        Nothing by default.
        """

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

    def original(self) -> nn.Module:
        """The wrapped layer, its weights as they are now."""
        compute_anew(self.wrapped)
        return self.wrapped

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


def put_around(network: nn.Module, layer: nn.Module, wrapper: BaselineLayer) -> None:
    """Put a baseline's layer in the place of another, under each of its names."""
    wrapper.train(layer.training)
    put_in_place(network, layer, wrapper)


def baseline_layers(network: nn.Module) -> Iterator[tuple[str, BaselineLayer]]:
    """All (name, layer) that a baseline put into a network."""
    return ((name, m) for name, m in network.named_modules() if isinstance(m, BaselineLayer))


def alternating_layers(network: nn.Module) -> list[AlternatingLayer]:
    """Those of them whose noise takes steps of its own."""
    return [m for m in network.modules() if isinstance(m, AlternatingLayer)]
