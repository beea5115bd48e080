"""Comparisons by numpy are those of torch."""

import pytest
import torch
from fused_cases import KINDS, awkward

from nenni.method.fused.comparing import numpy_knows, positive


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_positive_is_what_torch_says(kind: str, dtype: torch.dtype) -> None:
    score = awkward(kind, 3, 8, 5, 7, dtype=dtype)
    for each in (score, score.contiguous(memory_format=torch.channels_last), score[:, ::2]):
        found = positive(each.requires_grad_() if each.is_leaf else each)
        assert torch.equal(found, each > 0)
        assert found.stride() == (each > 0).stride()


def test_numpy_is_not_asked_where_values_may_not_be_looked_at() -> None:
    assert numpy_knows(torch.zeros(1))
    assert not numpy_knows(torch.zeros(1, device="meta"))
    assert not numpy_knows(torch.zeros(1, dtype=torch.float16))
    traced = []
    torch.jit.trace(
        lambda x: (traced.append(numpy_knows(x)), x + 1)[1], torch.zeros(1), check_trace=False
    )
    assert traced == [False]
