"""Memory formats, types, copies and states of the two-path layers."""

import copy
from typing import Any

import pytest
import torch
from layer_cases import DETERMINISTIC, EXACT, PROJECTIONS, conv, draws, each_kind, inputs, noisy
from torch import nn

from nenni.core.seeding import seeded
from nenni.method.selection.random import Random
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection


@pytest.mark.parametrize("selection", [*DETERMINISTIC, Random(0.4)], ids=str)
@pytest.mark.parametrize("projection", [kind(0.5) for kind in PROJECTIONS], ids=str)
def test_channels_last_is_kept_and_changes_no_value(selection: Selection, projection: Any) -> None:
    layer = noisy(conv(), selection, projection=projection, **EXACT).double()
    x = inputs(3, (8, 5, 7), dtype=torch.float64)
    last = x.to(memory_format=torch.channels_last)
    with seeded(1):
        expected = layer(x)
    layer.to(memory_format=torch.channels_last)
    with seeded(1):
        found = layer(last)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert not found.is_contiguous()


@pytest.mark.parametrize("selection", [*DETERMINISTIC, Random(0.4)], ids=str)
@each_kind
def test_autocast_runs_near_full_precision(
    wrapped: Any, shape: tuple[int, ...], selection: Selection
) -> None:
    x = inputs(3, shape)
    for bits in (8, 32):
        rounding = dict.fromkeys(EXACT, bits)
        layer = noisy(wrapped(), selection, **rounding, exact_bits=bits, normalise=True)
        full, z = layer.approximate(x), layer.essential(x)
        with torch.autocast("cpu", torch.bfloat16):
            mixed, z_mixed, found = layer.approximate(x), layer.essential(x), layer(x)
            layer.path = "soft"
            soft = layer(x)
        assert mixed.dtype == found.dtype == torch.bfloat16
        assert soft.isfinite().all()
        for low, high in ((mixed, full), (z_mixed, z)):
            assert (low.float() - high).norm() < 0.05 * high.norm()
        on_a_path = (found == z_mixed) | (found == mixed)
        assert on_a_path.all()


@each_kind
def test_gradients_are_finite_under_autocast(wrapped: Any, shape: tuple[int, ...]) -> None:
    layer = noisy(wrapped(), TopK(0.5))
    x = inputs(3, shape).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        layer(x).square().sum().backward()
    for tensor in (x, layer.W_tilde, layer.b_tilde, layer.wrapped.weight):
        assert tensor.grad is not None
        assert tensor.grad.dtype == torch.float32
        assert tensor.grad.isfinite().all()
        assert tensor.grad.count_nonzero()


@each_kind
def test_a_layer_can_be_moved_to_float64(wrapped: Any, shape: tuple[int, ...]) -> None:
    layer = noisy(wrapped(), TopK(0.5), normalise=True)
    x = inputs(3, shape)
    before, z = layer.approximate(x), layer.exact(x)
    assert {t.dtype for t in layer.to(torch.float64).state_dict().values()} == {torch.float64}
    found = layer(x.double())
    assert found.dtype == torch.float64
    torch.testing.assert_close(layer.approximate(x.double()).float(), before)
    torch.testing.assert_close(layer.exact(x.double()).float(), z)


@each_kind
def test_a_copy_is_equal_and_apart(wrapped: Any, shape: tuple[int, ...]) -> None:
    layer = noisy(wrapped(), Random(0.5))
    x = inputs(3, shape)
    twin = copy.deepcopy(layer)
    with seeded(4):
        expected = layer(x)
    with seeded(4):
        assert torch.equal(twin(x), expected)
    for tensor in twin.state_dict().values():
        tensor.fill_(7.0)
    with seeded(4):
        assert torch.equal(layer(x), expected)


@pytest.mark.parametrize("projection", [kind(0.5) for kind in PROJECTIONS], ids=str)
@each_kind
def test_state_dicts_hold_all_that_matters(
    wrapped: Any, shape: tuple[int, ...], projection: Any
) -> None:
    choices: dict[str, Any] = {"projection": projection, "normalise": True, "exact_bits": 8}
    layer = noisy(wrapped(), Threshold(0.5), **choices)
    with torch.no_grad():
        layer.score_mean.copy_(torch.randn(layer.score_mean.shape, generator=draws(3)))
        layer.score_variance.fill_(2.0)
    other = type(layer)(type(layer.wrapped)(*_sizes(layer.wrapped)), layer.choices, draws(9))  # type: ignore[arg-type]
    x = inputs(3, shape)
    assert not torch.equal(other(x), layer(x))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), layer(x))


def _sizes(wrapped: nn.Conv2d | nn.Linear) -> tuple[Any, ...]:
    if isinstance(wrapped, nn.Linear):
        return wrapped.in_features, wrapped.out_features
    return 8, 6, 3, 1, 1
