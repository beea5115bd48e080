"""The two paths are put together as torch.where would."""

from typing import Any

import pytest
import torch
from layer_cases import draws, each_kind, inputs, noisy

from nenni.method.mixing import mix
from nenni.method.selection.topk import TopK


@each_kind
def test_the_mask_is_constant_in_the_backward_pass(wrapped: Any, shape: tuple[int, ...]) -> None:
    layer = noisy(wrapped(), TopK(0.4), normalise=True)
    x = inputs(3, shape).requires_grad_()
    z, z_tilde = layer.exact(x), layer.approximate(x)
    mask = layer.mask(z_tilde)
    weights = torch.randn(z.shape, generator=draws(4))
    parameters = [layer.wrapped.weight, layer.W_tilde, layer.b_tilde, x]
    found = torch.autograd.grad((layer(x) * weights).sum(), parameters)
    expected = torch.autograd.grad((torch.where(mask, z, z_tilde) * weights).sum(), parameters)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("value", "exact"), [(True, "z"), (False, "noise")])
def test_mixing_equals_where(value: bool, exact: str) -> None:
    """Bit by bit, for numbers of all sizes; and both gradients, the second ones too."""
    grid = torch.cartesian_prod(*[torch.tensor([0.0, -0.0, 1e-45, 1.5, -3e37, 1e38])] * 2)
    z, noise = grid[:, 0], grid[:, 1]
    mask = torch.full(z.shape, value)
    assert torch.equal(mix(z, noise, mask), {"z": z, "noise": noise}[exact])
    a, b = (
        torch.randn(5, generator=draws(i), dtype=torch.float64).requires_grad_() for i in (1, 2)
    )
    mixed = torch.tensor([True, False, value, True, False])
    assert torch.autograd.gradcheck(mix, (a, b, mixed))
    assert torch.autograd.gradgradcheck(mix, (a, b, mixed))


def test_what_is_not_finite_stays_visible() -> None:
    z, noise = torch.tensor([torch.nan, torch.inf, 1.0]), torch.tensor([1.0, 2.0, torch.nan])
    for value in (True, False):
        assert not mix(z, noise, torch.full((3,), value)).isfinite().any()
