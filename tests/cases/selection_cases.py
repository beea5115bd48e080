"""Scores to select from."""

import torch
from hypothesis import strategies as st
from torch import Tensor

seeds = st.integers(0, 2**31 - 1)


def scores(shape: tuple[int, ...], seed: int, ties: bool) -> Tensor:
    z = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return z.round() if ties else z
