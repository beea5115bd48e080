"""Mask of the n largest of every m neighbouring channels; among equals, the first."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nenni.core.runtime import as_bytes, may_look
from nenni.method.fused.comparing import numpy_knows
from nenni.method.fused.operators import has_triton, register


def by_counting(score: Tensor, n: int, m: int) -> Tensor:
    """Of a score (N, C, positions): those that fewer than n neighbours of their group beat."""
    inf = torch.inf
    if not may_look(score) or not bool(score.sum().isfinite()):
        score = score.nan_to_num(nan=-inf, posinf=inf, neginf=-inf)
    by_numpy, last = numpy_knows(score), score.transpose(1, 2)
    if by_numpy and score.shape[1] % m == 0 and last.is_contiguous():
        return _by_numpy(last, n, m, 1).transpose(1, 2)
    groups = in_groups(score, m).contiguous()
    chosen = _by_numpy(groups, n, m, groups.shape[3]) if by_numpy else _by_torch(groups, n)
    return chosen.flatten(1, 2)[:, : score.shape[1]]


def _by_numpy(groups: Tensor, n: int, m: int, step: int) -> Tensor:
    """Of whole groups one after the other in memory, neighbours a step from each other.

    A neuron starts at the number of those before it, as if they all beat it, and each comparison
    sets two right: of equals the first is chosen.
    """
    score = groups.numpy().reshape(-1)
    kind: type[np.integer[Any]] = np.uint8 if m < 256 else np.int32
    places = np.arange(m, dtype=kind).repeat(step)
    place = np.tile(places, len(score) // len(places)) if len(score) else places[:0]
    ranks = place.copy()
    for apart in range(1, m):
        beaten = score[apart * step :] > score[: -apart * step]
        beaten &= place[: -apart * step] < m - apart  # both are of one group
        ranks[: -apart * step] += beaten.view(np.uint8)
        ranks[apart * step :] -= beaten.view(np.uint8)
    return torch.from_numpy(ranks < n).view(groups.shape)


def _by_torch(groups: Tensor, n: int) -> Tensor:
    m = groups.shape[2]
    ranks = torch.zeros_like(groups, dtype=torch.uint8 if m < 256 else torch.int32)
    for apart in range(1, m):
        beaten = groups[:, :, apart:] > groups[:, :, :-apart]
        ranks[:, :, :-apart] += as_bytes(beaten)
        ranks[:, :, apart:] += as_bytes(beaten.logical_not_())
    return ranks < n


def in_groups(score: Tensor, m: int) -> Tensor:
    """Neighbouring channels side by side: (N, groups, m, positions), filled up with -inf."""
    if missing := -score.shape[1] % m:
        score = F.pad(score, (0, 0, 0, missing), value=-torch.inf)
    groups: Tensor = score.unflatten(1, (-1, m))
    return groups


def _kernel(score: Tensor, n: int, m: int) -> Tensor:
    if not has_triton() or not score.numel():
        return by_counting(score, n, m)
    from nenni.method.fused import triton_n_of_m

    return triton_n_of_m.n_of_m(score, n, m)


register(
    "n_of_m(Tensor score, int n, int m) -> Tensor",
    by_counting,
    _kernel,
    lambda score, n, m: torch.empty_like(score, dtype=torch.bool),
)
