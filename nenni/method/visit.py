"""What every injected layer sees and gives in the exact network, batch by batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.method.injection import noisy_layers, on_path
from nenni.method.noisy_layer import NoisyLayer
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating

Images = Tensor | Iterable[Tensor | Sequence[Tensor]]
"""Images (N, C, H, W), or batches: a loader whose items are images or start with them."""
Visit = Callable[[str, NoisyLayer, Tensor, Tensor], None]
"""Takes a layer's name, the layer, its input x and its exact output z."""


def batches_of(data: Images, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """Batches of images on a device, in the order of the data.

    Raises
    ------
    UserError
        If the data can be gone through only once, or has no batch.
    """
    if isinstance(data, Tensor):
        if not len(data):
            raise UserError("there are no images: the tensor is empty")
        yield from (batch.to(device) for batch in data.split(batch_size))
        return
    if isinstance(data, Iterator):
        raise UserError("the images are needed several times: give a loader or a list of batches")
    empty = True
    for item in data:
        empty = False
        yield (item if isinstance(item, Tensor) else item[0]).to(device)
    if empty:
        raise UserError("there are no images: the loader has no batch")


def device_of(model: nn.Module) -> torch.device:
    """Where a network's parameters are."""
    return next(model.parameters()).device


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
            noisy(batch)
