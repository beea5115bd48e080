"""Projections that are learned from the inputs of their layers."""

import torch
from torch import Tensor

from nenni.method.fitting.least_squares import with_one
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.visit import Seen, visit_all


@torch.no_grad()
def learn_projections(seen: Seen) -> None:
    """Give each layer whose projection is learned the one for the covariance of its inputs."""
    learned = {n: layer for n, layer in seen.layers.items() if layer.choices.projection.learned}
    if not learned:
        return
    products: dict[str, Tensor] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        if name in learned:
            rows = with_one(layer.geometry.inputs(x).double())
            products[name] = products.get(name, 0) + rows.T @ rows

    visit_all(seen, visit)
    for name, summed in products.items():
        P, projection = learned[name].P, learned[name].choices.projection
        found = projection.learn(P.shape[1], covariance(summed))  # type: ignore[attr-defined]
        P.copy_(found.view_as(P[0]).expand_as(P))


def covariance(products: Tensor) -> Tensor:
    """E[x x'] - E[x] E[x]', (d, d), from the summed products of the rows [x, 1], (d + 1, d + 1)."""
    moments = products / products[-1, -1]
    mean = moments[-1, :-1]
    return moments[:-1, :-1] - mean[:, None] * mean
