"""What every injected layer sees, and gives in the exact network, batch by batch."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from nenni.core.seeding import seeded
from nenni.data.batches import Data, image_batches, reordered
from nenni.method.halves import Calls, Halves, halves_of
from nenni.method.injection import noisy_layers, on_path
from nenni.method.noisy_layer import NoisyLayer
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating

Visit = Callable[[str, NoisyLayer, Tensor, Tensor], None]
"""Takes a layer's name, the layer, its input x and the z of the exact network."""
Batch = Callable[[Visit], None]
"""Lets layers be visited with what they see of one batch of images."""


class Seen(Protocol):
    """Layers that are worked on together, and what they see."""

    layers: dict[str, NoisyLayer]

    def images(self) -> int:
        """How many there are."""

    def batches(self, order: Tensor | None = None) -> Iterator[Batch]:
        """What they see of each batch, of the images in their order or in another."""


def visit_all(seen: Seen, visit: Visit) -> None:
    """Visit the layers with all that they see."""
    for batch in seen.batches():
        batch(visit)


@torch.no_grad()
def visit_exact(noisy: nn.Module, batches: Iterable[Tensor], visit: Visit) -> None:
    """Run the exact network in eval mode and call `visit` at each call of an injected layer.

    Nothing is kept from one layer to the next, so that memory does not grow with the depth.
    """

    def hook_for(name: str) -> Callable[[NoisyLayer, tuple[Tensor, ...], Tensor], None]:
        return lambda layer, inputs, z: visit(name, layer, inputs[0], z)

    handles = [layer.register_forward_hook(hook_for(name)) for name, layer in noisy_layers(noisy)]
    with hooked(handles), on_path(noisy, "exact"), evaluating(noisy):
        for batch in batches:
            answer(noisy, batch)


@torch.no_grad()
def visit_injected(noisy: nn.Module, batches: Iterable[Tensor], visit: Visit) -> None:
    """Call `visit` at each call of an injected layer with its x in the injected network.

    The rows of x and z stand image by image.

    Raises
    ------
    UserError
        If what reaches a layer of one image hangs on others.
    """
    layers = [layer for _, layer in noisy_layers(noisy)]
    calls: Calls = {}
    with seeded("visit"):
        for batch in batches:
            calls = calls or halves_of(noisy, batch[:1], layers)
            visit_in_halves(noisy, batch, visit, calls)


@torch.no_grad()
def visit_in_halves(noisy: nn.Module, batch: Tensor, visit: Visit, calls: Calls) -> None:
    """:func:`visit_injected` for one batch, where it is known how rows stand.

    A pass holds the batch twice: the first half goes through the exact network, the second through
    the injected one. The z is that of the first half; what the layer gives to the second is
    computed after the visit, which may change it.
    """

    def hook_for(
        name: str, halves: Iterator[Halves]
    ) -> Callable[[NoisyLayer, tuple[Tensor, ...], Tensor], Tensor]:
        def reached(layer: NoisyLayer, inputs: tuple[Tensor, ...], both: Tensor) -> Tensor:
            here = next(halves)
            z, x = here.apart(both)[0], here.apart(inputs[0])[1]
            visit(name, layer, here.by_image(x), here.by_image(z))
            with on_path(layer, "injected"):
                return here.together(z, layer.forward(x))

        return reached

    handles = [
        layer.register_forward_hook(hook_for(name, iter(calls[layer])))
        for name, layer in noisy_layers(noisy)
    ]
    with hooked(handles), on_path(noisy, "exact"), evaluating(noisy):
        answer(noisy, torch.cat([batch, batch]))


VISITS = {"exact": visit_exact, "injected": visit_injected}


class SeenInExact:
    """All layers, with their inputs in the exact network."""

    _look = staticmethod(visit_exact)

    def __init__(self, noisy: nn.Module, data: Data, batch_size: int) -> None:
        self.layers = dict(noisy_layers(noisy))
        self._noisy, self._data, self._batch_size = noisy, data, batch_size

    def images(self) -> int:
        """How many there are, from a look at all of them."""
        return sum(len(x) for x in image_batches(self._data, self._batch_size, self._noisy))

    def batches(self, order: Tensor | None = None) -> Iterator[Batch]:
        """What they see of each batch."""
        data = self._data if order is None else reordered(self._data, order)
        for batch in image_batches(data, self._batch_size, self._noisy):
            yield partial(self._look, self._noisy, [batch])


class SeenInItsPlace(SeenInExact):
    """One layer, with its inputs behind all injected layers as they are, batch by batch."""

    _look = staticmethod(visit_injected)

    def __init__(self, noisy: nn.Module, data: Data, batch_size: int, name: str) -> None:
        super().__init__(noisy, data, batch_size)
        self.layers = {name: self.layers[name]}
