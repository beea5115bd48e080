"""Layers of one shape are worked out once: networks repeat them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network

Row = TypeVar("Row")


def alike(
    layers: Iterable[Layer],
    rows: Callable[[Layer], Sequence[Row]],
    renamed: Callable[[Row, str], Row],
) -> list[Row]:
    """Rows of each layer, worked out once for all layers of one shape.

    Parameters
    ----------
    layers
        In order.
    rows
        Those of a layer.
    renamed
        A row for another layer of the same shape.
    """
    known: dict[tuple[object, ...], Sequence[Row]] = {}
    found: list[Row] = []
    for layer in layers:
        if (key := layer.shape) not in known:
            known[key] = rows(layer)
        found.extend(renamed(row, layer.name) for row in known[key])
    return found


@dataclass(frozen=True, slots=True)
class Grouped:
    """A network as one layer of each shape, and how many have it.

    Attributes
    ----------
    parts
        The first layer of each shape, and how many layers it stands for.
    assumed
        Whether the injections are assumed.
    """

    parts: tuple[tuple[Layer, int], ...]
    assumed: bool

    @property
    def layers(self) -> int:
        """How many there are in all."""
        return sum(count for _, count in self.parts)

    def each(self, change: Callable[[Layer], Layer]) -> "Grouped":
        """The layers changed, each alike."""
        return Grouped(tuple((change(layer), n) for layer, n in self.parts), self.assumed)


def grouped(network: Network) -> Grouped:
    """The layers of a network by shape."""
    return Grouped(tuple(counted(network.layers)), network.assumed)


def counted(layers: Iterable[Layer]) -> list[tuple[Layer, int]]:
    """The first layer of each shape, and how many have it."""
    found: dict[tuple[object, ...], tuple[Layer, int]] = {}
    for layer in layers:
        first, count = found.get(key := layer.shape, (layer, 0))
        found[key] = first, count + 1
    return list(found.values())
