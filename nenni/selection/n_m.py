"""N:M structured selection: N of every M neighbouring channels are essential."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from nenni.types import Count

__all__ = ["NM"]


@dataclass(frozen=True)
class NM:
    """m = 1 on the N largest of every M neighbouring channels, at each position.

    The rank of a neuron in its group is the number of neighbours that beat it; ties go to the
    lower channel, so the count is exact. All pairs are compared: (M - 1) / 2 comparisons per
    neuron. Where M does not divide the channels, the last group is smaller and min(N, its size)
    of it are essential.

    Parameters
    ----------
    n, m : int
        N essential of M neighbours.
    """

    n: Count
    m: Count
    randomised: ClassVar[bool] = False

    def mask(self, score: Tensor, generator: torch.Generator) -> Tensor:
        """Essential neurons of a score (N, C, ...)."""
        inf = torch.inf
        score = score.detach().nan_to_num(nan=-inf, posinf=inf, neginf=-inf)
        channels = score.shape[1]
        missing = -channels % self.m
        positions = score.flatten(2) if score.dim() > 2 else score[..., None]
        padded = F.pad(positions, (0, 0, 0, missing), value=-inf)
        groups = padded.unflatten(1, (-1, self.m)).unbind(2)
        ranks = [torch.zeros_like(groups[0], dtype=torch.int16) for _ in groups]
        for i in range(self.m):
            for j in range(i + 1, self.m):
                beaten = groups[j] > groups[i]
                ranks[i] += beaten
                ranks[j] += ~beaten
        mask = torch.stack(ranks, 2).flatten(1, 2)[:, :channels] < self.n
        return mask.view(score.shape)

    def nominal(self) -> float:
        """Fraction of essential neurons where M divides the channels."""
        return min(1.0, self.n / self.m)
