"""Whether a network's answer to an image depends on the batch, the order or the past."""

import torch
from torch import Tensor, nn

from nenni.adversary.outputs import changed
from nenni.core.seeding import seeded
from nenni.evaluation.company import DRAWS, in_company
from nenni.networks.copying import copied_or_none

_EXACTLY = 1e-4
"""Share of the outputs' spread by which an answer to the same batch may change."""
_ROUNDING = 0.1
"""The same where the batch is another: kernels round otherwise, which may flip a mask."""


@torch.no_grad()
def inconsistent(
    model: nn.Module, images: Tensor, attacked: Tensor, *, randomised: bool = False
) -> dict[str, Tensor]:
    """Which images are answered otherwise in another setting, (N,) of bool each.

    Parameters
    ----------
    model : Module
        A classifier, as it was given; copies of it are asked.
    images, attacked : Tensor
        Images (N, C, H, W) in [0, 1], and points of their balls.
    randomised : bool
        It draws from torch's global state: the same draws are compared with each other, and where
        the batch is another, averages over some.

    Returns
    -------
    dict
        ``memory``: the attacked images, on a copy that saw the images before, and on one that saw
        nothing, unless the network cannot be copied. ``batch``: each alone, and among the others.
        ``order``: the batch turned round, and asked twice.
    """
    apart, seen = (copied_or_none(model) or model for _ in range(2))

    def asked(network: nn.Module, points: Tensor) -> Tensor:
        with seeded("consistency"):
            return network(points.clone())  # type: ignore[no-any-return]

    first = asked(apart, attacked)
    asked(seen, images)
    memory = {} if seen is model else {"memory": changed(first, asked(seen, attacked), _EXACTLY)}
    beside = in_company(model, attacked, _ROUNDING, draws=DRAWS if randomised else 1)
    twice = changed(first, asked(apart, attacked), _EXACTLY)
    return memory | {"batch": beside["batch"], "order": beside["order"] | twice}
