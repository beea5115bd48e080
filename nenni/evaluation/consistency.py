"""Whether a network's answer to an image depends on the batch, the order or the past."""

import torch
from torch import Tensor, nn

from nenni.adversary.outputs import changed
from nenni.core.seeding import seeded
from nenni.evaluation.subject import copied

_EXACTLY = 1e-4
"""Share of the outputs' deviation by which an answer to the same batch may change."""
_ROUNDING = 0.1
"""The same where the batch is another: kernels round otherwise, which may flip a mask."""


@torch.no_grad()
def inconsistent(model: nn.Module, images: Tensor, attacked: Tensor) -> dict[str, Tensor]:
    """Which images are answered otherwise in another setting, (N,) of bool each.

    Parameters
    ----------
    model : Module
        A deterministic classifier, as it was given; copies of it are asked.
    images, attacked : Tensor
        Images (N, C, H, W) in [0, 1], and points of their balls.

    Returns
    -------
    dict
        ``memory``: the attacked images, on a copy that saw the images before, and on one that saw
        nothing, unless the network cannot be copied. ``batch``: each alone, and among the others.
        ``order``: the batch turned round, and asked twice.
    """
    apart, seen, alone, turned = (copied(model) or model for _ in range(4))
    with seeded("consistency"):
        first = apart(attacked.clone())
        seen(images.clone())
        again = seen(attacked.clone())
        single = torch.cat([alone(image.clone()) for image in attacked.split(1)])
        backwards = turned(attacked.flip(0)).flip(0)
        twice = apart(attacked.clone())
    memory = {} if seen is model else {"memory": changed(first, again, _EXACTLY)}
    return memory | {
        "batch": changed(first, single, _ROUNDING),
        "order": changed(first, backwards, _ROUNDING) | changed(first, twice, _EXACTLY),
    }
