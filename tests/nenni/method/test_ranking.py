"""Exact top-k masks of long rows, whatever the numbers."""

from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from selection_cases import scores, seeds
from torch import Tensor

from nenni.method import ranking
from nenni.method.fused.top_k import numbers
from nenni.method.ranking import first_top_k, top_k
from nenni.method.selection.random import Random
from nenni.method.selection.topk import TopK

KINDS = ["normal", "ties", "constant", "relu", "skewed", "steps", "infinite", "nan", "all nan"]


def long_rows(kind: str, rows: int, n: int, seed: int) -> Tensor:
    """Rows of every awkward kind."""
    z = torch.randn(rows, n, generator=torch.Generator().manual_seed(seed))
    special = torch.rand(rows, n, generator=torch.Generator().manual_seed(seed + 1)) < 0.2
    return {
        "normal": z,
        "ties": z.round(decimals=1),
        "constant": torch.full_like(z, 3.25),
        "relu": z.relu(),
        "skewed": z.mul(6).exp(),
        "steps": z.sort(1).values.sign() * 1e30,
        "infinite": z.masked_fill(special, torch.inf).masked_fill(z < -1.5, -torch.inf),
        "nan": z.masked_fill(special, torch.nan),
        "all nan": torch.full_like(z, torch.nan),
    }[kind]


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    st.sampled_from([8191, 8192, 8193, 20_001]),
    st.one_of(st.floats(0, 1), st.sampled_from([1e-4, 0.1, 0.5, 0.9, 0.9999])),
    seeds,
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_long_rows_hold_the_count_and_keep_the_largest(
    kinds: list[str], n: int, fraction: float, seed: int, dtype: torch.dtype
) -> None:
    """Rows of all kinds share a batch."""
    rows = torch.cat([long_rows(kind, 1, n, seed + i) for i, kind in enumerate(kinds)]).to(dtype)
    mask = top_k(rows, fraction)
    k = round(fraction * n)
    assert mask.sum(1).tolist() == [k] * len(rows)
    ranked = rows.masked_fill(rows.isnan(), -torch.inf)
    for row, chosen in zip(ranked, mask, strict=True):
        expected = row.sort(descending=True).values[:k]
        assert torch.equal(row[chosen].sort(descending=True).values, expected)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([40, 9000, 16_384]),
    st.floats(0, 1),
    seeds,
    st.sampled_from(["ties", "relu", "nan"]),
)
def test_rows_are_ranked_one_by_one(n: int, fraction: float, seed: int, kind: str) -> None:
    """Whatever stands beside a row, and though its border is a tie."""
    rows = torch.cat([long_rows(kind, 12, n, seed), long_rows("skewed", 2, n, seed)])
    alone = torch.cat([top_k(row, fraction) for row in rows.split(1)])
    assert torch.equal(top_k(rows, fraction), alone)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS), st.sampled_from([8192, 9001]), st.floats(0, 1), seeds,
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)  # fmt: skip
def test_among_equals_of_long_rows_the_first_are_chosen_of_few_and_the_last_of_many(
    kind: str, n: int, fraction: float, seed: int, dtype: torch.dtype
) -> None:
    """As by a stable sort of the smaller side, and as the kernel of a GPU does."""
    rows, k = long_rows(kind, 2, n, seed).to(dtype), round(fraction * n)
    few = 2 * k <= n
    order = numbers(rows).sort(dim=1, descending=few, stable=True).indices
    expected = torch.full_like(rows, not few, dtype=torch.bool)
    expected.scatter_(1, order[:, : k if few else n - k], few)
    assert torch.equal(top_k(rows, fraction), expected)


def test_the_layout_in_memory_changes_no_mask() -> None:
    for shape in ((3, 8, 5, 7), (2, 32, 20, 20)):
        z = scores(shape, 0, ties=True)
        mask = TopK(0.3).mask(z)
        last = TopK(0.3).mask(z.to(memory_format=torch.channels_last))
        assert torch.equal(last, mask)
        assert last.is_contiguous(memory_format=torch.channels_last)
        assert mask.is_contiguous()
        z = scores(shape, 0, ties=False)
        swapped = TopK(0.3).mask(z.transpose(2, 3))
        assert torch.equal(swapped, TopK(0.3).mask(z).transpose(2, 3))


def test_random_holds_the_fraction_in_long_rows_and_draws_evenly() -> None:
    mask = Random(0.3).mask(torch.zeros(60, 40, 16, 16)).flatten(1)
    assert (mask.sum(1) == round(0.3 * 40 * 256)).all()
    shares = mask.float().mean(0)
    assert (shares - 0.3).abs().max() < 5.5 * (0.3 * 0.7 / 60) ** 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_short_rows_resolve_ties_as_topk_does(kind: str) -> None:
    """As one call of torch.topk, of the smaller side, on NaN as the least of numbers."""
    for seed in range(112):
        n = (3, 16, 128, 784, 1568, 6272)[seed % 6]
        rows = long_rows(kind, 3, n, seed)
        k = round((0.1, 0.25, 0.5, 0.75)[seed % 4] * n)
        few = 2 * k <= n
        least = torch.finfo(rows.dtype).min
        known = rows if rows.sum().isfinite() else rows.nan_to_num(nan=least)
        chosen = known.topk(k if few else n - k, largest=few, sorted=False).indices
        expected = torch.full_like(rows, not few, dtype=torch.bool).scatter(1, chosen, few)
        assert torch.equal(top_k(rows, k / n), expected), (n, k, seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_the_first_of_equals_are_the_same_where_nobody_looks(kind: str, fraction: float) -> None:
    """As on a GPU and in a graph; a stable sort is the reference."""
    rows = long_rows(kind, 5, 40, seed=1)
    found = first_top_k(rows, fraction)
    values = rows.nan_to_num(nan=torch.finfo(rows.dtype).min).tolist()
    for row, mask in zip(values, found, strict=True):
        best = sorted(range(40), key=lambda i: -row[i])[: round(fraction * 40)]
        assert mask.nonzero()[:, 0].tolist() == sorted(best)
    with mock.patch.object(ranking, "may_look", return_value=False):
        assert torch.equal(first_top_k(rows, fraction), found)
