"""What a baseline's layers add to the products that they stand at, for the cost model."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nenni.core import plugins
from nenni.core.seeding import seeded
from nenni.method.baseline import Added, BaselineLayer, WrappedLayer, baseline_layers
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked


@torch.no_grad()
def added_by_baseline(
    model: nn.Module, layers: Mapping[str, nn.Module], image: Tensor
) -> dict[str, dict[str, Any]]:
    """Name of a product -> its entry ``defence`` in ``layers.json``; empty where there is none.

    A layer around a product adds to that; one that stands in the place of an activation, to the
    last product that ran before it, or to the first.

    Parameters
    ----------
    model : Module
        In eval mode.
    layers : dict
        Name -> module that counts as one product.
    image : Tensor
        One input, (1, ...).
    """
    if not any(baseline_layers(model)):
        return {}
    seen = _Seen()
    handles = [
        layer.register_forward_hook(partial(seen.product, name)) for name, layer in layers.items()
    ]
    handles += [layer.register_forward_hook(seen.at) for _, layer in baseline_layers(model)]
    with hooked(handles), seeded("describe"):
        answer(model, image)
    return seen.entries()


class _Seen:
    """Products and layers of a baseline, as they run."""

    def __init__(self) -> None:
        self.runs = Counter[str]()
        self.labels: list[str] = []
        self.added: list[tuple[str | None, BaselineLayer, Added]] = []

    def product(self, name: str, layer: nn.Module, inputs: Any, output: Any) -> None:
        """After a product: named as :func:`nenni.cost.matrix_products.products` names it."""
        plain = getattr(layer, "wrapped", layer)
        self.runs[name] += len(inputs[0]) if isinstance(plain, nn.Conv2d) else 1
        self.labels.append(name if self.runs[name] == 1 else f"{name}#{self.runs[name]}")

    def at(self, layer: BaselineLayer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """After a layer of a baseline; around a product it is called after :meth:`product`."""
        last = self.labels[-1] if self.labels else None
        self.added.append((last, layer, layer.added(inputs[0], output)))

    def entries(self) -> dict[str, dict[str, Any]]:
        """By the product's name."""
        sums: dict[str, Added] = {}
        found: dict[str, dict[str, Any]] = {}
        for last, layer, added in self.added:
            name = last or self.labels[0]
            sums[name] = sums.get(name, Added()) + added
            found[name] = {"name": _name(layer), **asdict(sums[name]), **_weights(layer)}
        return found


def _weights(layer: BaselineLayer) -> dict[str, Any]:
    """Non-zeros of the weights where they follow a pattern."""
    if not isinstance(layer, WrappedLayer) or layer.n_of_m is None:
        return {"nonzeros": None, "n_of_m": None}
    nonzeros = int(layer.used_weight().count_nonzero())
    return {"nonzeros": nonzeros, "n_of_m": list(layer.n_of_m)}


def _name(layer: BaselineLayer) -> str:
    kind = type(layer.baseline)
    return plugins.name_of("baseline", kind) or kind.__name__
