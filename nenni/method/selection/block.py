"""Blocks of channels x positions are essential or not as a whole."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import Count, Fraction
from nenni.method.ranking import first_top_k, midpoint
from nenni.method.selection_base import Selection

__all__ = ["Block"]


@dataclass(frozen=True)
class Block(Selection):
    """m = 1 on the fraction of tiles with the largest mean score, tile by tile.

    A tile holds neighbouring channels at neighbouring positions, counted row by row; those at the
    border are smaller, and of equal ones the first are essential. Such a selection leaves whole
    tiles of a matrix unit idle.

    Parameters
    ----------
    fraction : float
        Share of essential tiles of each sample in the layer, in [0, 1].
    channels : int
        Neighbouring channels in a tile.
    positions : int
        Neighbouring positions in a tile.
    """

    fraction: Fraction
    channels: Count = 16
    positions: Count = 8
    ranks: ClassVar[bool] = False
    in_tiles: ClassVar[bool] = True

    def mask(self, score: Tensor) -> Tensor:
        """Essential neurons of a score (N, C, ...)."""
        means = self.tile_means(score.detach())
        chosen = first_top_k(means.flatten(1), self.fraction)
        return self._spread(chosen.view_as(means), score)

    def margin(self, score: Tensor, mask: Tensor) -> Tensor:
        """A tile's mean less the value that parts the essential tiles from the others."""
        means = self.tile_means(score)
        tiles = self.tile_means(mask.to(score)).flatten(1) > 0.5
        rows = means.flatten(1)
        return self._spread((rows - midpoint(rows, tiles, 1)).view_as(means), score)

    def nominal(self) -> float:
        """Fraction of essential tiles."""
        return self.fraction

    def tile(self) -> tuple[int, int]:
        """The block."""
        return self.channels, self.positions

    def additions(self, channels: int) -> int:
        """Each neuron to its block's score; the top-k over the few blocks is neglected."""
        return channels

    def tile_means(self, score: Tensor) -> Tensor:
        """Mean of each tile, (N, tiles along channels, tiles along positions)."""
        flat = score.flatten(2) if score.dim() > 2 else score[..., None]
        tile = (self.channels, min(self.positions, flat.shape[2]))
        tile = (min(self.channels, flat.shape[1]), tile[1])
        means: Tensor = F.avg_pool2d(
            flat[:, None], tile, ceil_mode=True, count_include_pad=False
        ).squeeze(1)
        return means

    def _spread(self, tiles: Tensor, score: Tensor) -> Tensor:
        """The value of its tile for every neuron, in the shape and the layout of the score."""
        size = score.shape[1], score.shape[2:].numel()
        tile = min(self.channels, size[0]), min(self.positions, size[1])
        if score.dim() == 4 and score.is_contiguous(memory_format=torch.channels_last):
            tiles, size, tile = tiles.transpose(1, 2), size[::-1], tile[::-1]
            return _grown(tiles, tile, size).transpose(1, 2).reshape(score.shape)
        return _grown(tiles, tile, size).reshape(score.shape)


def _grown(tiles: Tensor, tile: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Tiles (N, rows, columns) of this many rows and columns each, cut to a size."""
    wide = tiles[..., None].expand(-1, -1, -1, tile[1]).flatten(2)[..., : size[1]]
    return wide[:, :, None].expand(-1, -1, tile[0], -1).flatten(1, 2)[:, : size[0]]
