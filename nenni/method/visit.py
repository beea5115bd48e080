"""What every injected layer sees and gives in the exact network, batch by batch."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from nenni.method.injection import noisy_layers, on_path
from nenni.method.noisy_layer import NoisyLayer
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating

Visit = Callable[[str, NoisyLayer, Tensor, Tensor], None]
"""Takes a layer's name, the layer, its input x and its exact output z."""


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
