"""The products of a layer, as matrices of its rows."""

import copy
from typing import Any

import torch
from hypothesis import assume, given, settings
from layer_cases import EXACT, Geometry, convolutions, draws, geometries, inputs, noisy, projections
from torch import Tensor, nn

from nenni.method.geometry import ConvGeometry, LinearGeometry, SharedTapsGeometry
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.selection.topk import TopK


def in_double(geometry: Geometry, projection: Any) -> tuple[NoisyLayer, Tensor]:
    wrapped, shape = geometry
    layer = noisy(copy.deepcopy(wrapped).double(), TopK(0.5), projection=projection, **EXACT)
    return layer, inputs(2, shape, dtype=torch.float64)


@settings(max_examples=40, deadline=None)
@given(geometries, projections)
def test_one_composed_matrix_is_both_after_each_other(geometry: Geometry, projection: Any) -> None:
    layer, x = in_double(geometry, projection)
    G, P, W_tilde, b = layer.geometry, layer.P[0], layer.W_tilde[0], layer.b_tilde[0]
    composed = G.compose(W_tilde, P)
    assert composed.shape == layer.wrapped.weight.shape
    expected = G.combine(G.project(x, P), W_tilde, b)
    torch.testing.assert_close(G.operate(x, composed, b), expected, rtol=1e-10, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(geometries, projections)
def test_rows_times_matrices_give_the_products(geometry: Geometry, projection: Any) -> None:
    layer, x = in_double(geometry, projection)
    G, P, W_tilde, b = layer.geometry, layer.P[0], layer.W_tilde[0], layer.b_tilde[0]
    p = G.project(x, P)
    torch.testing.assert_close(G.rows(p), G.inputs(x) @ P.flatten(1).T, rtol=1e-10, atol=1e-10)
    found = G.features(p) @ W_tilde.flatten(1).T + b
    torch.testing.assert_close(G.rows(G.combine(p, W_tilde, b)), found, rtol=1e-10, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(geometries)
def test_with_its_own_weights_it_is_the_layer(geometry: Geometry) -> None:
    wrapped, shape = geometry
    x = inputs(2, shape)
    kind = ConvGeometry if isinstance(wrapped, nn.Conv2d) else LinearGeometry
    z = wrapped(x)
    G = kind(wrapped)  # type: ignore[arg-type]
    assert torch.equal(G.operate(x, wrapped.weight, wrapped.bias), z)
    second = G.channels_second(z)
    assert second.shape[:2] == (2, len(wrapped.weight))
    assert torch.equal(G.channels_restored(second), z)


@settings(max_examples=20, deadline=None)
@given(convolutions())
def test_a_pixel_is_projected_alone_where_taps_are_shared(geometry: Geometry) -> None:
    wrapped, shape = geometry
    assume(shape[0] > 1)
    G, x = SharedTapsGeometry(wrapped), inputs(1, shape)  # type: ignore[arg-type]
    P = torch.randn(2, shape[0], 1, 1, generator=draws())
    changed = x.clone()
    changed[:, :, 2, 3] += 1
    moved = (G.project(changed, P) != G.project(x, P)).any(1)
    assert moved.nonzero().tolist() == [[0, 2, 3]]
