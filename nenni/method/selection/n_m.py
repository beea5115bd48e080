"""N:M structured selection: N of every M neighbouring channels are essential."""

from math import comb
from typing import Annotated, ClassVar, Self

import torch
from pydantic import model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.core.runtime import as_one_kernel
from nenni.core.types import AtMost, Few
from nenni.method.fused.n_of_m import by_counting, in_groups
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
        score = score.detach()
        choose = torch.ops.nenni.n_of_m if as_one_kernel(score) else by_counting
        mask: Tensor = choose(_flat(score), self.n, self.m)
        return mask.reshape(score.shape)

    def margin(self, score: Tensor, mask: Tensor) -> Tensor:
        """Score less the value that parts each group's essential neurons from the others."""
        groups = in_groups(_flat(score), self.m)
        border = midpoint(groups, in_groups(_flat(mask.to(score)), self.m) > 0.5, 2)
        return (groups - border).flatten(1, 2)[:, : score.shape[1]].reshape(score.shape)

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


def _flat(score: Tensor) -> Tensor:
    """A score as (N, C, positions)."""
    return score.flatten(2) if score.dim() > 2 else score[..., None]
