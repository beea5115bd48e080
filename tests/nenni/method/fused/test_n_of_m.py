"""The n largest of every m neighbouring channels, by torch's operators and by the kernel."""

from unittest import mock

import pytest
import torch
from fused_cases import DEVICES, KINDS, awkward, interpreted

from nenni.method.fused import n_of_m
from nenni.method.fused.n_of_m import by_counting

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_operator_is_its_formula(device: str, kind: str, dtype: torch.dtype) -> None:
    for shape in ((2, 16, 49), (3, 10, 1), (1, 7, 1100)):
        score = awkward(kind, *shape, dtype=dtype).to(device)
        for each in (score, score.mT.contiguous().mT, score[:, ::2]):
            for n, m in ((2, 4), (1, 1), (3, 5), (1, 300)):
                found = torch.ops.nenni.n_of_m(each, n, m)
                assert torch.equal(found, by_counting(each, n, m)), (shape, n, m)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numpy_counts_as_torch_does(kind: str, dtype: torch.dtype) -> None:
    for shape in ((2, 16, 49), (3, 10, 1), (1, 7, 1100)):
        score = awkward(kind, *shape, dtype=dtype)
        for each in (score, score.mT.contiguous().mT, score[:, ::2]):
            for n, m in ((2, 4), (1, 1), (3, 5), (1, 300)):
                with mock.patch.object(n_of_m, "numpy_knows", return_value=False):
                    expected = by_counting(each, n, m)
                assert torch.equal(by_counting(each, n, m), expected), (shape, n, m)


@pytest.mark.parametrize(
    ("group", "chosen"),
    [
        ((NAN, 1, -INF, 0), (1, 3)),
        ((NAN, NAN, -INF, 5), (0, 3)),
        ((-INF, NAN, NAN, NAN), (0, 1)),
        ((INF, 2, INF, INF), (0, 2)),
        ((3e38, 3e38, 2e38, 3.1e38), (0, 3)),
    ],
)
def test_a_nan_ranks_last_as_minus_infinity_and_of_equals_the_first(
    group: tuple[float, ...], chosen: tuple[int, ...]
) -> None:
    score = torch.tensor([*group, 0.0, 1.0]).view(1, 6, 1)  # the last group is smaller
    mask = by_counting(score, 2, 4).flatten()
    assert mask.nonzero().flatten().tolist() == [*chosen, 4, 5]


@pytest.mark.slow
def test_the_kernel_interpreted_is_the_formula() -> None:
    interpreted(
        """
import torch
from fused_cases import KINDS, awkward
from nenni.method.fused.n_of_m import by_counting
from nenni.method.fused.triton_n_of_m import n_of_m

for kind in KINDS:
    for shape in ((2, 16, 9), (3, 10, 1), (1, 3, 1100)):
        score = awkward(kind, *shape)
        for each in (score, score.mT.contiguous().mT, score[:, ::2]):
            for n, m in ((2, 4), (1, 1), (3, 5)):
                found = n_of_m(each, n, m)
                assert torch.equal(found, by_counting(each, n, m)), (kind, shape, n, m)
"""
    )
