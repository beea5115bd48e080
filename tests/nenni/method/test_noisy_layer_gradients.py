"""Gradients of the two-path layers: straight through, and without rounding exact."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import (
    BORDERS,
    EXACT,
    Geometry,
    each_kind,
    geometries,
    inputs,
    linear,
    noisy,
    projections,
    small,
)
from torch import Tensor

from nenni.method.quantise import quantise, quantise_weight
from nenni.method.selection.all import All
from nenni.method.selection.n_m import NM
from nenni.method.selection.none import Nothing
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection


@pytest.mark.parametrize("selection", BORDERS, ids=str)
@pytest.mark.parametrize(("shape", "score"), [((3, 4, 3), "signed"), ((6,), "magnitude")])
def test_gradients_agree_with_finite_differences(
    selection: Selection, shape: tuple[int, ...], score: Any
) -> None:
    """Of everything that is learned, and of the input: the hard mask is constant nearby."""
    layer, names = small(selection, shape, score)

    def forward(x: Tensor, *values: Tensor) -> Any:
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    parameters = [layer.get_parameter(n).detach().clone().requires_grad_() for n in names]
    x = inputs(2, shape, dtype=torch.float64).requires_grad_()
    assert 0 < layer.mask(layer.approximate(x)).double().mean() < 1
    assert torch.autograd.gradcheck(forward, (x, *parameters), eps=1e-7, atol=1e-5)


@each_kind
def test_gradients_pass_straight_through_but_where_clipped(
    wrapped: Any, shape: tuple[int, ...]
) -> None:
    """The input's gradient is that of the same map without Q_a, but 0 beyond 7.5 steps."""
    layer = noisy(wrapped(), Nothing(), input_bits=4, weight_bits=32, projected_bits=32)
    plain = noisy(wrapped(), Nothing(), **EXACT)
    x = inputs(3, shape).requires_grad_()
    (found,) = torch.autograd.grad(layer(x).sin().sum(), x)
    z = layer.approximate(x).detach().requires_grad_()
    (upstream,) = torch.autograd.grad(z.sin().sum(), z)
    (passed,) = torch.autograd.grad(plain(x), x, upstream)
    clipped = x.abs() > 7.5 * 0.2
    assert 0.05 < clipped.float().mean() < 0.5
    assert not found[clipped].any()
    torch.testing.assert_close(found[~clipped], passed[~clipped])
    assert passed[~clipped].count_nonzero() > 0.9 * (~clipped).sum()


def straight_through(x: Tensor, rounded: Tensor, inside: Tensor) -> Tensor:
    """Rounded values whose gradient is that of x where nothing was clipped."""
    passing = x * inside
    return rounded.detach() + passing - passing.detach()


@settings(max_examples=40, deadline=None)
@given(
    geometries,
    projections,
    st.sampled_from([3, 32]),
    st.sampled_from([4, 32]),
    st.sampled_from(["rows", "last", "swapped"]),
)
def test_all_gradients_are_those_of_plain_operations(
    geometry: Geometry, projection: Any, projected_bits: int, bits: int, layout: str
) -> None:
    """Whatever a layer keeps for its backward pass, and second derivatives too."""
    wrapped, shape = geometry
    wrapped = copy.deepcopy(wrapped).double()
    layer = noisy(
        wrapped, NM(1, 2), projection=projection, weight_bits=bits, input_bits=bits,
        projected_bits=projected_bits, exact_bits=bits,
    )  # fmt: skip
    x = inputs(3, shape, dtype=torch.float64)
    if layout == "last" and x.dim() == 4:
        x = x.to(memory_format=torch.channels_last)
    elif layout == "swapped":
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    x.requires_grad_()

    def ste(values: Tensor, scale: Tensor, width: int) -> Tensor:
        inside = (values / scale).abs() < 2 ** (width - 1) - 0.5 if width < 32 else values == values
        return straight_through(values, quantise(values, scale, width), inside)

    def weights(values: Tensor) -> Tensor:
        return straight_through(values, quantise_weight(values, bits), torch.ones_like(values))

    p = layer.geometry.project(ste(x, layer.input_scale, bits), layer.P[0])
    p = ste(p, layer.projected_scale[0], projected_bits)
    z_tilde = layer.geometry.combine(p, weights(layer.W_tilde[0]), layer.b_tilde[0])
    z = layer.geometry.operate(
        ste(x, layer.exact_scale, bits), weights(wrapped.weight), wrapped.bias
    )
    mask = layer.mask(layer.approximate(x))
    expected = torch.where(mask, z, z_tilde)
    found = layer(x)
    torch.testing.assert_close(found, expected)
    tensors = [x, layer.W_tilde, layer.b_tilde, wrapped.weight]
    first = [
        torch.autograd.grad(output.sin().sum(), tensors, create_graph=True)
        for output in (found, expected)
    ]
    torch.testing.assert_close(first[0], first[1])
    second = [
        torch.autograd.grad(sum(g.cos().sum() for g in gradients), tensors, allow_unused=True)
        for gradients in first
    ]
    torch.testing.assert_close(*([torch.zeros(()) if g is None else g for g in s] for s in second))


@pytest.mark.parametrize("bits", [4, 32])
@pytest.mark.parametrize("leaf", [True, False])
def test_inputs_modified_before_the_backward_pass_are_an_error(bits: int, leaf: bool) -> None:
    """As for any layer of torch: the gradient of the weights would be wrong."""
    layer = noisy(linear(), TopK(0.5), input_bits=bits, exact_bits=bits)
    x = inputs(3, (16,))
    x = x if leaf else x.requires_grad_() * 1
    z = layer(x)
    with torch.no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match=r"modified (by an inplace|in place)"):
        z.sum().backward()


@each_kind
def test_gradients_pass_through_the_rounding_of_weights(
    wrapped: Any, shape: tuple[int, ...]
) -> None:
    """No weight is clipped, the largest is exact: the gradient is that at the rounded weights."""
    layer = noisy(wrapped(), Nothing(), **(EXACT | {"weight_bits": 3}))
    plain = noisy(wrapped(), Nothing(), **EXACT)
    plain.W_tilde.data[0] = quantise_weight(layer.W_tilde[0], 3).detach()
    assert not torch.equal(plain.W_tilde, layer.W_tilde)
    x = inputs(3, shape)
    for module in (layer, plain):
        module(x).sin().sum().backward()
    torch.testing.assert_close(layer.W_tilde.grad, plain.W_tilde.grad)
    torch.testing.assert_close(layer.b_tilde.grad, plain.b_tilde.grad)


@each_kind
def test_gradients_pass_through_the_rounded_exact_path(
    wrapped: Any, shape: tuple[int, ...]
) -> None:
    layer = noisy(wrapped(), All(), exact_bits=4)
    x = inputs(3, shape).requires_grad_()
    layer(x).sum().backward()
    assert x.grad is not None
    assert layer.wrapped.weight.grad is not None
    assert not x.grad[x.abs() > 7.5 * 0.25].any()
    assert x.grad[x.abs() < 7.5 * 0.25].count_nonzero()
    rows = layer.geometry.rows(layer.exact(x))
    assert torch.equal(layer.wrapped.bias.grad, torch.full_like(layer.wrapped.bias, len(rows)))
