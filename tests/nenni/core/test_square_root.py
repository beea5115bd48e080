"""Roots are those that IEEE 754 asks for, whatever torch's are."""

import numpy as np
import pytest
import torch

from nenni.core.square_root import square_root


def test_single_precision_is_rounded_correctly() -> None:
    bits = torch.randint(0, 0x7F800000, (200_000,), generator=torch.Generator().manual_seed(0))
    x = bits.int().view(torch.float32)  # of all sizes, the smallest among them
    assert np.array_equal(square_root(x).numpy(), np.sqrt(x.numpy()))


@pytest.mark.parametrize("value", [0.0, 1.0, 4.0, float("inf")])
def test_those_that_are_exact(value: float) -> None:
    assert float(square_root(torch.tensor(value))) == value**0.5


def test_a_root_that_is_none() -> None:
    assert square_root(torch.tensor([-1.0, float("nan")])).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_it_keeps_type_shape_and_gradient(dtype: torch.dtype) -> None:
    x = torch.rand(3, 4, dtype=dtype).add(1).requires_grad_()
    root = square_root(x)
    assert (root.dtype, root.shape) == (dtype, x.shape)
    (gradient,) = torch.autograd.grad(root.sum(), x)
    torch.testing.assert_close(gradient, 0.5 / root.detach())
