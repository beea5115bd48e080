"""Passes that hold two batches, one behind the other: which rows of what a layer gets are whose.

A network may hold several views of its images, one view behind the other, as
``torch.cat([x, x.flip(3)])`` does; then each view holds both batches.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import generator, seeded
from nenni.method.injection import on_path
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating

_ROUNDING = 0.05
"""Relative distance that rounding alone may make between passes of one image and of two."""


class Halves(NamedTuple):
    """How the rows of two batches stand in what a module gets at one call.

    Attributes
    ----------
    views : int
        Views of all images that stand one behind the other.
    rows : int
        Rows of each image within a view, as windows of attention are.
    """

    views: int
    rows: int

    def apart(self, both: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of the first batch, and those of the second."""
        first, second = both.unflatten(0, (self.views, 2, -1)).unbind(1)
        return first.flatten(0, 1), second.flatten(0, 1)

    def together(self, first: Tensor, second: Tensor) -> Tensor:
        """Both batches, as they were before they were taken apart."""
        pairs = zip(first.chunk(self.views), second.chunk(self.views), strict=True)
        return torch.cat([part for pair in pairs for part in pair])

    def by_image(self, x: Tensor) -> Tensor:
        """The rows of one batch, all of an image one behind the other."""
        images: Tensor = x.unflatten(0, (self.views, -1, self.rows))
        return images.transpose(0, 1).flatten(0, 2)


Calls = dict[nn.Module, list[Halves]]
"""Modules, and how rows stand at each of their calls in a pass."""


@torch.no_grad()
def halves_of(noisy: nn.Module, image: Tensor, modules: Iterable[nn.Module]) -> Calls:
    """How rows stand at each call, from a pass of an image alone and one with another behind it.

    Parameters
    ----------
    noisy : Module
        An injected network.
    image : Tensor
        One image (1, ...) that it accepts.
    modules : iterable of Module
        Those of its modules that are asked about.

    Raises
    ------
    UserError
        If what reaches one of them cannot be taken apart.
    """
    modules = list(modules)
    other = torch.rand(image.shape, generator=generator("halves")).to(image)
    alone = _inputs(noisy, image, modules)
    both = _inputs(noisy, torch.cat([image, other]), modules)
    found: Calls = {}
    for name, module in noisy.named_modules():
        if module in alone:
            halves = [*map(_halves, alone[module], both[module])]
            if None in halves or len(alone[module]) != len(both[module]):
                raise UserError(
                    f"what reaches {name} of one image hangs on the others of a pass, which then "
                    "cannot hold exact and injected images: give each image rows of its own, as "
                    "torch.cat([x, y]) and torch.stack([x, y], 1).flatten(0, 1) do, or choose "
                    "inputs='exact' and batch_norms='kept'"
                )
            found[module] = [each for each in halves if each is not None]
    return found


def _inputs(
    noisy: nn.Module, images: Tensor, modules: list[nn.Module]
) -> dict[nn.Module, list[Tensor]]:
    """What modules get in the exact network, call by call."""
    found: dict[nn.Module, list[Tensor]] = {module: [] for module in modules}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found[module].append(inputs[0].nan_to_num())

    handles = [module.register_forward_pre_hook(note) for module in modules]
    with hooked(handles), on_path(noisy, "exact"), evaluating(noisy), seeded("halves"):
        answer(noisy, images)
    return found


def _halves(alone: Tensor, both: Tensor) -> Halves | None:
    """That of the possible ones whose first half is nearest to what the image alone gives."""
    rows = len(alone)
    if len(both) != 2 * rows:
        return None
    possible = [Halves(n, rows // n) for n in range(1, rows + 1) if rows % n == 0]
    apart = [each.apart(both) for each in possible]
    distances = [float((first - alone).norm()) for first, _ in apart]
    best = min(range(len(possible)), key=distances.__getitem__)
    to_other = float((apart[best][1] - alone).norm())
    near = distances[best] <= _ROUNDING * float(alone.norm()) or distances[best] < to_other
    return possible[best] if near else None
