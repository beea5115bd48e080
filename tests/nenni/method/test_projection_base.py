"""What projections declare is what their matrices show."""

import pytest
import torch
from layer_cases import PROJECTIONS, draws

from nenni.method.projection.count_sketch import CountSketch
from nenni.method.projection.sparse import Sparse
from nenni.method.projection_base import LearnedProjection, Projection, index_bits


@pytest.mark.parametrize("kind", PROJECTIONS, ids=lambda kind: kind.__name__)
def test_entries_are_real_or_of_one_size(kind: type[Projection]) -> None:
    projection = kind(0.25)  # type: ignore[call-arg]
    P = projection.sample(projection.rows(64), 64, draws())
    sizes = P[P != 0].abs().round(decimals=5).unique()
    assert (len(sizes) == 1) != projection.real


@pytest.mark.parametrize("kind", PROJECTIONS, ids=lambda kind: kind.__name__)
def test_what_is_learned_can_be_learned(kind: type[Projection]) -> None:
    projection = kind(0.25)  # type: ignore[call-arg]
    assert projection.learned == isinstance(projection, LearnedProjection)
    if isinstance(projection, LearnedProjection):
        assert projection.learn(3, torch.eye(8)).shape == (3, 8)


@pytest.mark.parametrize(("count", "bits"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (144, 8)])
def test_indices(count: int, bits: int) -> None:
    assert index_bits(count) == bits
    assert Sparse(0.5).nonzero_bits(7, count) == bits + 1
    assert CountSketch(0.5).nonzero_bits(count, 7) == bits + 1
