"""Bias correction: the approximation is right on average where it answers."""

import torch
from torch import Tensor

from nenni.method.noisy_layer import NoisyLayer
from nenni.method.visit import Seen, visit_all


@torch.no_grad()
def correct_bias(seen: Seen) -> None:
    """Add to b~ the mean of z - z~ per channel over the neurons that the mask leaves to z~.

    Over all neurons the closed form has a mean error of 0, but for the rounding of W~; the mask
    takes those with the largest scores away. After bias correction of quantised networks (Nagel et
    al., ICCV 2019, section 4.2).
    """
    sums: dict[str, Tensor] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        here = []
        for i in range(layer.pool):
            z_tilde = layer.approximate(x, i)
            left = ~layer.mask(z if layer.choices.selection.judges_exact else z_tilde)
            rows = layer.geometry.rows((z - z_tilde) * left).double()
            here.append(torch.stack([rows.sum(0), layer.geometry.rows(left).double().sum(0)]))
        found = torch.stack(here)
        sums[name] = sums.get(name, torch.zeros_like(found)) + found

    visit_all(seen, visit)
    for name, of_pool in sums.items():
        error, count = of_pool.unbind(1)
        seen.layers[name].b_tilde.add_(error / count.clamp_min(1))
