"""The k largest of each row, by torch's operators and by the kernel."""

import pytest
import torch
from fused_cases import DEVICES, KINDS, awkward, interpreted

from nenni.method import ranking
from nenni.method.fused import top_k as operator

SIZES = (3, 16, 784, 1024, 9000, 65_536)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_operator_is_its_formula(device: str, kind: str, dtype: torch.dtype) -> None:
    for n in SIZES:
        rows = awkward(kind, 3, n, seed=n, dtype=dtype).to(device)
        for k in (0, 1, n // 4, n // 2, 9 * n // 10, n):
            found = torch.ops.nenni.top_k(rows, k)
            assert torch.equal(found, operator.top_k(rows, k)), (n, k)


@pytest.mark.parametrize("device", DEVICES)
def test_a_thousand_random_masks_are_those_of_a_cpu(device: str) -> None:
    for seed in range(1000):
        n = 1 + seed * 7 % 701
        rows = awkward(KINDS[seed % 6], 2, n, seed=seed).to(device)
        k = seed % (n + 1)
        found = torch.ops.nenni.top_k(rows, k)
        assert torch.equal(found, operator.top_k(rows, k)), seed
        by_partition = ranking.top_k(rows.cpu(), k / n)
        assert torch.equal(found.sum(1).cpu(), by_partition.sum(1)), seed
        numbers = operator.numbers(rows.cpu())
        for row, ours, theirs in zip(numbers, found.cpu(), by_partition, strict=True):
            assert torch.equal(row[ours].sort().values, row[theirs].sort().values), seed


def test_rows_of_a_transposed_score_and_no_rows() -> None:
    rows = awkward("normal", 40, 3).T
    assert torch.equal(torch.ops.nenni.top_k(rows, 7), operator.top_k(rows.contiguous(), 7))
    assert torch.ops.nenni.top_k(torch.zeros(0, 5), 2).shape == (0, 5)


@pytest.mark.slow
def test_the_kernel_interpreted_holds_the_count_and_takes_the_first_or_last_of_equals() -> None:
    interpreted(
        """
import torch
from fused_cases import KINDS, awkward
from nenni.method.fused import top_k as operator
from nenni.method.fused.triton_top_k import top_k

for dtype in (torch.float32, torch.float64, torch.bfloat16):
    for kind in KINDS:
        for n, k in ((3, 1), (16, 8), (700, 90), (1500, 1400)):
            rows = awkward(kind, 2, n, seed=n, dtype=dtype)
            found = top_k(rows, k)
            numbers = operator.numbers(rows)
            order = numbers.sort(dim=1, descending=2 * k <= n, stable=True).indices
            few = min(k, n - k) if 2 * k <= n else n - k
            expected = torch.full_like(found, 2 * k > n).scatter(1, order[:, :few], 2 * k <= n)
            assert torch.equal(found, expected), (dtype, kind, n, k)
"""
    )
