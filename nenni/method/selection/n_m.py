"""N:M structured selection: N of every M neighbouring channels are essential."""

from math import comb
from typing import Annotated, ClassVar, Self

import torch
import torch.nn.functional as F
from pydantic import model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.types import AtMost, Few
from nenni.method.ranking import midpoint
from nenni.method.selection_base import Selection

__all__ = ["NM"]


@dataclass(frozen=True)
class NM(Selection):
    """m = 1 on the N largest of every M neighbouring channels, at each position.

    The rank of a neuron in its group is the number of neighbours that beat it; ties go to the
    lower channel, so the count is exact. Where M does not divide the channels, the last group is
    smaller and min(N, its size) of it are essential.

    Parameters
    ----------
    n, m : int
        N essential of M neighbours.
    """

    n: Annotated[Few, AtMost("m")]
    m: Few
    ranks: ClassVar[bool] = False

    @model_validator(mode="after")
    def _n_within_m(self) -> Self:
        if self.n > self.m:
            raise ValueError(f"n should be at most m = {self.m}, got {self.n}")
        return self

    def mask(self, score: Tensor) -> Tensor:
        """Essential neurons of a score (N, C, ...)."""
        inf = torch.inf
        score = score.detach().nan_to_num(nan=-inf, posinf=inf, neginf=-inf)
        groups = self._groups(score).contiguous()
        counter = torch.uint8 if self.m < 256 else torch.int32
        ranks = torch.zeros_like(groups, dtype=counter)
        for apart in range(1, self.m):
            beaten = groups[:, :, apart:] > groups[:, :, :-apart]
            ranks[:, :, :-apart] += beaten.view(torch.uint8)
            ranks[:, :, apart:] += beaten.logical_not_().view(torch.uint8)
        return self._ungroup(ranks < self.n, score)

    def margin(self, score: Tensor, mask: Tensor) -> Tensor:
        """Score less the value that parts each group's essential neurons from the others."""
        groups = self._groups(score)
        border = midpoint(groups, self._groups(mask.to(score)) > 0.5, 2)
        return self._ungroup(groups - border, score)

    def nominal(self) -> float:
        """Fraction of essential neurons where M divides the channels."""
        return self.n / self.m

    def n_of_m(self) -> tuple[int, int]:
        """N and M."""
        return self.n, self.m

    def comparisons(self, channels: int) -> int:
        """All pairs within the groups: (M - 1) / 2 a neuron where M divides the channels."""
        groups, rest = divmod(channels, self.m)
        return groups * comb(self.m, 2) + comb(rest, 2)

    def _groups(self, score: Tensor) -> Tensor:
        """Neighbouring channels side by side: (N, groups, M, positions), filled up with -inf."""
        positions = score.flatten(2) if score.dim() > 2 else score[..., None]
        padded = F.pad(positions, (0, 0, 0, -score.shape[1] % self.m), value=-torch.inf)
        groups: Tensor = padded.unflatten(1, (-1, self.m))
        return groups

    def _ungroup(self, groups: Tensor, score: Tensor) -> Tensor:
        return groups.flatten(1, 2)[:, : score.shape[1]].reshape(score.shape)
