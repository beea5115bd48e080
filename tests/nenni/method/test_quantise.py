import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nenni.method.quantise import (
    levels,
    mse_scale,
    on_codes,
    on_rounded,
    quantise,
    quantise_weight,
)


@given(st.integers(2, 8), st.integers(0, 2**31 - 1))
def test_values_are_the_nearest_codes_within_the_range(bits: int, seed: int) -> None:
    x = torch.randn(200, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scale = torch.tensor(0.13, dtype=torch.float64)
    q = quantise(x, scale, bits)
    codes = torch.arange(-levels(bits), levels(bits) + 1, dtype=torch.float64) * scale
    nearest = codes[(x[:, None] - codes).abs().argmin(1)]
    torch.testing.assert_close(q, nearest, rtol=0, atol=1e-12)


def test_known_codes() -> None:
    x = torch.tensor([-10.0, -0.74, 0.26, 0.5, 3.4, 3.6])
    torch.testing.assert_close(
        quantise(x, torch.tensor(0.5), 4), torch.tensor([-3.5, -0.5, 0.5, 0.5, 3.5, 3.5])
    )


def test_gradient_is_straight_through_inside_and_zero_where_clipped() -> None:
    x = torch.tensor([-9.0, -0.7, 0.1, 3.4, 9.0], requires_grad=True)
    (quantise(x, torch.tensor(0.5), 4) * torch.arange(1.0, 6.0)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 2, 3, 4, 0]


def test_at_32_bits_values_are_left_alone() -> None:
    x = torch.randn(7)
    assert quantise(x, torch.tensor(0.5), 32) is x
    assert quantise_weight(x, 32) is x


def test_at_16_bits_values_are_rounded() -> None:
    w = torch.randn(4, 50)
    q = quantise_weight(w, 16)
    assert not torch.equal(q, w)
    torch.testing.assert_close(q, w, rtol=0, atol=float(w.abs().max()) / 2**15)


@given(st.integers(2, 8), st.integers(0, 2**31 - 1))
def test_weights_have_their_own_scale_per_neuron(bits: int, seed: int) -> None:
    w = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(seed))
    w[1] *= 1000
    w[2] = 0
    q = quantise_weight(w, bits)
    largest = w.flatten(1).abs().amax(1)
    torch.testing.assert_close(q.flatten(1).abs().amax(1), largest)
    step = largest / levels(bits)
    assert ((q - w).abs().flatten(1).amax(1) <= step / 2 * 1.0001 + 1e-30).all()
    assert all(len(row.unique()) <= 2 * levels(bits) + 1 for row in q.flatten(1))


def test_calibrated_scale_beats_the_largest_value_on_heavy_tails() -> None:
    x = torch.randn(10_000, generator=torch.Generator().manual_seed(0)) ** 3
    best = mse_scale(x, 4)
    naive = x.abs().max() / levels(4)
    assert (quantise(x, best, 4) - x).square().mean() < (quantise(x, naive, 4) - x).square().mean()


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0, 1000.0])
def test_halves_are_rounded_as_well_as_single_precision(size: float) -> None:
    x = torch.randn(10_000, generator=torch.Generator().manual_seed(0)) * size
    half = x.half()
    assert mse_scale(half, 8).dtype == torch.float16
    error = (quantise(half, mse_scale(half, 8), 8).float() - x).norm() / x.norm()
    assert error < 1.1 * (quantise(x, mse_scale(x, 8), 8) - x).norm() / x.norm()
    rows = half.view(10, -1)
    assert (quantise_weight(rows, 8) - rows).float().norm() < 0.015 * x.norm()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bits", [2, 3, 4, 8, 15, 16, 32])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_codes_give_the_bits_that_the_values_themselves_give(
    dtype: torch.dtype, bits: int, layout: torch.memory_format
) -> None:
    """Output and gradients, of numbers on every border of a code, far beyond, and infinite."""
    scale, q = torch.tensor(0.5, dtype=dtype), levels(bits)
    borders = torch.tensor([q - 0.5, q, q + 0.5, q + 1, 1e30, torch.inf, 0.0, 0.5, 1.5, 2.5])
    values = torch.cat([borders, -borders, torch.randn(172) * q]).view(3, 4, 4, 4)
    values = (values * 0.5).to(dtype).contiguous(memory_format=layout)
    weight = torch.randn(5, 4, 1, 1, dtype=dtype).requires_grad_()
    found = []
    for kept in (on_codes, lambda *each: on_rounded(*each, values=True)):
        x = values.clone(memory_format=torch.preserve_format).requires_grad_()
        z = kept(lambda p: torch.nn.functional.conv2d(p, weight), x, scale, bits)
        found.append([z, *torch.autograd.grad(z.nan_to_num(0, 1, -1).sin().sum(), [x, weight])])
    for code, value in zip(*found, strict=True):
        assert torch.equal(code.nan_to_num(), value.nan_to_num())
        assert code.stride() == value.stride()


@pytest.mark.parametrize(("bits", "spared"), [(8, True), (15, True), (16, False)])
def test_values_that_nobody_keeps_are_freed(bits: int, spared: bool) -> None:
    """Codes of two bytes stay in their place, where two bytes hold one beyond the largest."""
    weight = torch.randn(4, 4, 1, 1, requires_grad=True)

    def passed() -> tuple[torch.Tensor, weakref.ref[torch.Tensor]]:
        p = torch.randn(2, 4, 3, 3, requires_grad=True) * 1
        z = on_codes(lambda x: torch.nn.functional.conv2d(x, weight), p, torch.tensor(0.1), bits)
        return z, weakref.ref(p)

    z, p = passed()
    assert (p() is None) == spared
    z.sum().backward()
    assert weight.grad is not None
