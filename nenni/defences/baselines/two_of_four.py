"""2:4 weight sparsity: of every four neighbouring weights the two largest stay."""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from nenni.method.baseline import Added, Baseline, WrappedLayer, put_around
from nenni.method.ran import layers_that_run
from nenni.method.selection.n_m import NM

__all__ = ["TwoOfFour"]

_N, _M = 2, 4


@dataclass(frozen=True)
class TwoOfFour(Baseline):
    """W' = W * mask, the mask 1 on the two weights of largest magnitude of every four.

    Mishra et al.: Accelerating sparse deep neural networks, arXiv 2104.08378, sections 2 and 4:
    neighbours are the input channels of an output channel, tap after tap. The mask is that of the
    weights at first, and training keeps it. Grouped convolutions and layers with fewer than four
    inputs stay dense, and so do the last inputs where four do not divide them.
    """

    def put(self, network: nn.Module, image: Tensor, draws: torch.Generator) -> None:
        """Wrap the layers that have such neighbours, or those of them that are chosen."""
        for found in self.chosen(
            [each for each in layers_that_run(network, image) if _fits(each.layer)]
        ):
            put_around(network, found.layer, SparseLayer(self, found.layer))


class SparseLayer(WrappedLayer):
    """A layer half of whose weights are zero.

    Attributes
    ----------
    mask : Tensor
        1 where a weight stays, of the shape of W.
    """

    n_of_m = (_N, _M)
    mask: Tensor

    def __init__(self, baseline: TwoOfFour, wrapped: nn.Conv2d | nn.Linear) -> None:
        super().__init__(baseline, wrapped)
        weight = self.own_weight()
        self.register_buffer("mask", mask_of(weight).to(weight))

    def used_weight(self) -> Tensor:
        """W * mask."""
        return self.own_weight() * self.mask

    def forward(self, x: Tensor) -> Tensor:
        """(W * mask) x + b."""
        return self.operate(x, self.used_weight())

    def added(self, x: Tensor, z: Tensor) -> Added:
        """Nothing beside the products that are left."""
        return Added()


def _fits(layer: nn.Conv2d | nn.Linear) -> bool:
    grouped = isinstance(layer, nn.Conv2d) and layer.groups > 1
    return not grouped and layer.weight[0].numel() >= _M


@torch.no_grad()
def mask_of(weight: Tensor) -> Tensor:
    """Where the largest two of every four are, for weights (n, C, ...); True beyond the fours."""
    rows = weight.movedim(1, -1).flatten(1).abs()
    whole = rows.shape[1] // _M * _M
    mask = torch.ones_like(rows, dtype=torch.bool)
    mask[:, :whole] = NM(_N, _M).mask(rows[:, :whole])
    shape = weight.movedim(1, -1).shape
    return mask.view(shape).movedim(-1, 1)
