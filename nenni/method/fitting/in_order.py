"""One layer after the other, each behind the injected ones before it."""

import copy
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from nenni.core.seeding import seeded
from nenni.method.fitting.batch_norms import (
    Measured,
    mean_over,
    measure_statistics,
    measuring,
    pooled,
    set_statistics,
    statistics_of,
    with_statistics,
)
from nenni.method.fitting.thresholds import read_thresholds
from nenni.method.halves import halves_of
from nenni.method.injection import noisy_layers, on_path
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.visit import Batch, Seen, Visit, visit_in_halves
from nenni.networks.hooks import hooked


@torch.no_grad()
def work_in_order(
    noisy: nn.Module,
    images: Tensor,
    batch_size: int,
    work: Callable[[Seen], None],
    *,
    measured: bool = False,
) -> None:
    """Work on one layer after the other, each when a pass reaches it.

    A layer is shown its x behind the injected layers before it, and the exact network's z; only
    then it gives z'. One that is called again is worked on again, with all its calls so far.

    Parameters
    ----------
    noisy : Module
        An injected network, whose layers `work` may change.
    images : Tensor
        (N, C, H, W). What the network holds for 2 N images has to fit into memory.
    batch_size : int
        Images per batch of what `work` is shown.
    work : callable
        Takes what one layer sees.
    measured : bool
        Whether batch norms take the statistics of what reaches them behind the injected layers,
        and thresholds are read from scores that go through them.
    """
    layers = dict(noisy_layers(noisy))
    norms = with_statistics(noisy) if measured else []
    halves = halves_of(noisy, images[:1], [*layers.values(), *norms])
    left = {name: len(halves[layer]) for name, layer in layers.items()}
    calls: dict[str, list[tuple[Tensor, Tensor]]] = {}
    of_norms: Measured = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        so_far = [*calls.pop(name, []), (x, z)]
        left[name] -= 1
        if left[name]:
            calls[name] = [*so_far[:-1], (x.clone(), z)]
        seen = SeenInInjected(name, layer, so_far, len(images), batch_size)
        work(seen)
        if measured:
            if layer.choices.normalise and layer.batch_norm:
                # Its scores go through these statistics, which are those of z'.
                with on_path(layer, "injected"):
                    (norm,) = layer.batch_norm
                    measure_statistics(norm, layer.forward(x), of_norms.get(norm, ()))
            read_thresholds(seen)

    with hooked(measuring(noisy, halves, of_norms) if measured else []), seeded("visit"):
        visit_in_halves(noisy, images, visit, halves)


def measure_batch_norms(noisy: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give batch norms the statistics of what reaches them behind the injected layers.

    Each batch goes through by its own, and theirs are pooled: one batch is held at a time. The
    thresholds of calibrated selections are means over the batches, to begin with.

    Parameters
    ----------
    noisy : Module
        An injected network that is fitted.
    batches : iterable of Tensor
        Images (N, C, H, W).
    """
    norms = with_statistics(noisy)
    if not norms:
        return
    layers = [layer for _, layer in noisy_layers(noisy)]
    before = [copy.deepcopy(norm.state_dict()) for norm in norms]
    sizes: list[int] = []
    thresholds: list[Tensor] = []
    found: list[list[tuple[Tensor, Tensor]]] = [[] for _ in norms]
    for images in batches:
        for norm, state in zip(norms, before, strict=True):
            norm.load_state_dict(state)
        work_in_order(noisy, images, len(images), _leave, measured=True)
        sizes.append(len(images))
        thresholds.append(torch.stack([layer.threshold for layer in layers]))
        for norm, of_batches in zip(norms, found, strict=True):
            of_batches.append(statistics_of(norm))
    for norm, of_batches in zip(norms, found, strict=True):
        set_statistics(norm, *pooled(sizes, of_batches))
    for layer, threshold in zip(layers, mean_over(sizes, thresholds), strict=True):
        layer.threshold.copy_(threshold)


def _leave(_: Seen) -> None:
    """Change nothing."""


class SeenInInjected:
    """One layer, with its inputs behind the injected layers before it."""

    def __init__(
        self, name: str, layer: NoisyLayer, calls: list[tuple[Tensor, Tensor]], images: int,
        batch_size: int,
    ) -> None:  # fmt: skip
        self.layers = {name: layer}
        self._calls, self._images, self._batch_size = calls, images, batch_size

    def images(self) -> int:
        """How many there are."""
        return self._images

    def batches(self, order: Tensor | None = None) -> Iterator[Batch]:
        """What it sees of each batch, at all its calls so far."""
        order = torch.arange(self._images) if order is None else order
        ((name, layer),) = self.layers.items()

        def show(chosen: Tensor, visit: Visit) -> None:
            for x, z in self._calls:
                visit(name, layer, self._of(chosen, x), self._of(chosen, z))

        for chosen in order.split(self._batch_size):
            yield partial(show, chosen)

    def _of(self, images: Tensor, x: Tensor) -> Tensor:
        """The rows of some images; one image may have several, as windows of attention do."""
        each: Tensor = x.unflatten(0, (self._images, -1))
        return each[images.to(x.device)].flatten(0, 1)
