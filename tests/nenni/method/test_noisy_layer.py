"""What the two-path layers compute, over layer geometry."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layer_cases import (
    DETERMINISTIC,
    EXACT,
    Geometry,
    convolutions,
    draws,
    each_kind,
    geometries,
    inputs,
    linear,
    noisy,
    projections,
)
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.method.injection import inject, noisy_layers, set_path
from nenni.method.noise.zero import Zero
from nenni.method.noise_base import Noise
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.noisy_linear import NoisyLinear
from nenni.method.projection.count_sketch import CountSketch
from nenni.method.projection.gaussian import Gaussian
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared import TapShared
from nenni.method.projection.tap_shared_pca import TapSharedPCA
from nenni.method.quantise import quantise_weight
from nenni.method.selection.all import All
from nenni.method.selection.block import Block
from nenni.method.selection.channel import Channel
from nenni.method.selection.inverted import Inverted
from nenni.method.selection.n_m import NM
from nenni.method.selection.none import Nothing
from nenni.method.selection.random import Random
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection
from nenni.method.spec import InjectionSpec


@settings(max_examples=60, deadline=None)
@given(geometries, projections, st.sampled_from([2, 4, 16, 32]))
def test_the_approximation_has_the_shape_of_z(
    geometry: Geometry, projection: Any, bits: int
) -> None:
    wrapped, shape = geometry
    layer = noisy(wrapped, TopK(0.5), projection=projection, projected_bits=bits)
    x = inputs(2, shape)
    z, z_tilde = wrapped(x), layer.approximate(x)
    assert (z_tilde.shape, z_tilde.dtype) == (z.shape, z.dtype)
    assert z_tilde.isfinite().all()
    channels = wrapped.weight.shape[1]
    d = channels if projection.shared_taps else wrapped.weight[0].numel()
    assert layer.P.shape[1] == max(1, round(projection.ratio * d))
    assert layer.geometry.rows(z).shape == (z.numel() // len(wrapped.weight), len(wrapped.weight))


@settings(max_examples=40, deadline=None)
@given(geometries, projections)
def test_fraction_1_is_exact_and_0_is_the_approximation(
    geometry: Geometry, projection: Any
) -> None:
    wrapped, shape = geometry
    x = inputs(2, shape)
    everything = noisy(wrapped, TopK(1), projection=projection)
    nothing = noisy(wrapped, TopK(0), projection=projection)
    assert torch.equal(everything(x), wrapped(x))
    assert torch.equal(nothing(x), nothing.approximate(x))


@settings(max_examples=60, deadline=None)
@given(geometries, projections, st.sampled_from(DETERMINISTIC), st.sampled_from([8, 32]))
def test_every_neuron_comes_from_its_own_path(
    geometry: Geometry, projection: Any, selection: Selection, bits: int
) -> None:
    wrapped, shape = geometry
    layer = noisy(wrapped, selection, projection=projection, exact_bits=bits)
    x = inputs(3, shape)
    z, z_tilde = layer.essential(x), layer.approximate(x)
    mask = layer.mask(z if selection.judges_exact else z_tilde)
    assert mask.shape == z.shape
    assert torch.equal(layer(x), torch.where(mask, z, z_tilde))


@settings(max_examples=30, deadline=None)
@given(geometries, projections, st.sampled_from([*DETERMINISTIC, Random(0.4)]))
def test_batches_of_one_and_of_none(
    geometry: Geometry, projection: Any, selection: Selection
) -> None:
    wrapped, shape = geometry
    for bits, path in ((4, "injected"), (32, "injected"), (4, "soft")):
        layer = noisy(wrapped, selection, projection=projection, projected_bits=bits)
        layer.path = path  # type: ignore[assignment]
        for count in (0, 1):
            x = inputs(count, shape)
            assert layer(x).shape == wrapped(x).shape


@pytest.mark.parametrize("selection", DETERMINISTIC, ids=str)
@pytest.mark.parametrize("noise", [None, Zero()])
@pytest.mark.parametrize("path", ["injected", "soft"])
@each_kind
def test_no_sample_depends_on_another(
    wrapped: Any, shape: tuple[int, ...], selection: Selection, noise: Noise | None, path: Any
) -> None:
    noises = {} if noise is None else {"noise": noise}
    layer = noisy(wrapped(), selection, **noises)
    layer.path = path
    x = inputs(4, shape)
    others = torch.cat([x[:1], 100 * inputs(3, shape, seed=5)])
    assert torch.equal(layer(x)[0], layer(others)[0])
    if selection != Nothing() or noise is None:
        assert not torch.equal(layer(x)[1], layer(others)[1])


def test_long_rows_do_not_depend_on_other_samples() -> None:
    """From 8,192 neurons on top-k works on all samples at once."""
    wrapped = nn.Conv2d(8, 40, 1)
    layer = noisy(wrapped, TopK(0.3))
    x = inputs(4, (8, 16, 16))
    others = torch.cat([x[:1], torch.zeros(1, 8, 16, 16), 1e3 * x[2:3], x[3:] - 7])
    assert torch.equal(layer(x)[0], layer(others)[0])


@settings(max_examples=40, deadline=None)
@given(geometries, st.sampled_from([Sparse, Gaussian, CountSketch]), st.sampled_from([4, 32]))
def test_the_composed_path_agrees_with_the_other(geometry: Geometry, kind: Any, bits: int) -> None:
    wrapped, shape = geometry
    wrapped = copy.deepcopy(wrapped).double()
    layer = noisy(
        wrapped, TopK(0.5), projection=kind(0.9), projected_bits=32, weight_bits=bits, input_bits=bits
    )  # fmt: skip
    x = inputs(2, shape, dtype=torch.float64)
    n, k = layer.W_tilde.shape[1:3]
    d = wrapped.weight[0].numel()
    assert layer.composes == (n * d < k * (n + d))
    assume(layer.composes)
    p = layer.projected_rounded(x)
    weight = quantise_weight(layer.W_tilde[0], bits)
    flat = layer.geometry.features(p) @ weight.flatten(1).T + layer.b_tilde[0]
    torch.testing.assert_close(
        layer.geometry.rows(layer.approximate(x)), flat, rtol=1e-10, atol=1e-10
    )


@settings(max_examples=40, deadline=None)
@given(convolutions(), st.sampled_from([TapShared, TapSharedPCA]), st.sampled_from([1e-9, 0.5, 1]))
def test_shared_taps_equal_one_matrix_over_all_inputs(
    geometry: Geometry, kind: Any, ratio: float
) -> None:
    wrapped, shape = geometry
    wrapped = copy.deepcopy(wrapped).double()
    layer = noisy(wrapped, TopK(0.5), projection=kind(ratio), **EXACT)
    x = inputs(2, shape, dtype=torch.float64)
    P = layer.P[0, :, :, 0, 0]
    k, taps = len(P), wrapped.weight[0, 0].numel()
    expanded = torch.kron(P, torch.eye(taps, dtype=torch.float64))  # (k taps, C_in taps)
    W = (layer.W_tilde[0].flatten(1) @ expanded).view_as(wrapped.weight)
    assert layer.W_tilde[0, 0].numel() == k * taps
    expected = wrapped._conv_forward(x, W, layer.b_tilde[0])
    torch.testing.assert_close(layer.approximate(x), expected, rtol=1e-10, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(geometries, projections)
def test_features_and_weights_give_the_approximation(geometry: Geometry, projection: Any) -> None:
    """What the closed-form fit solves for is what the layer computes."""
    wrapped, shape = geometry
    wrapped = copy.deepcopy(wrapped).double()
    layer = noisy(wrapped, TopK(0.5), projection=projection, weight_bits=32)
    x = inputs(2, shape, dtype=torch.float64)
    rows = layer.geometry.features(layer.projected_rounded(x))
    expected = rows @ layer.W_tilde[0].flatten(1).T + layer.b_tilde[0]
    torch.testing.assert_close(
        layer.geometry.rows(layer.approximate(x)), expected, rtol=1e-10, atol=1e-10
    )
    if not projection.shared_taps or isinstance(layer, NoisyLinear):
        projected = layer.geometry.inputs(x) @ layer.P[0].flatten(1).T
        unrounded = noisy(wrapped, TopK(0.5), projection=projection, **EXACT)
        torch.testing.assert_close(layer.geometry.rows(unrounded.projected(x)), projected)


@pytest.mark.parametrize("bits", [4, 8])
@settings(max_examples=30, deadline=None)
@given(geometry=geometries)
def test_the_exact_path_rounds_weights_and_inputs(bits: int, geometry: Geometry) -> None:
    """The nearest of the 2^bits - 1 codes, by a search over all of them."""
    wrapped, shape = geometry
    wrapped = copy.deepcopy(wrapped).double()
    layer = noisy(wrapped, All(), exact_bits=bits)
    x = inputs(2, shape, dtype=torch.float64)
    codes = torch.arange(1 - 2 ** (bits - 1), 2 ** (bits - 1), dtype=torch.float64)

    def nearest(values: Tensor, step: Tensor) -> Tensor:
        table = codes * step
        return table.gather(-1, (values[..., None] - table).abs().argmin(-1, keepdim=True))[..., 0]

    xq = nearest(x, torch.tensor(0.25, dtype=torch.float64).expand(*x.shape, 1))
    flat = wrapped.weight.detach().flatten(1)
    step = flat.abs().amax(1) / (2 ** (bits - 1) - 1)
    w = nearest(flat, step[:, None, None].expand(*flat.shape, 1)).view_as(wrapped.weight)
    rounded = copy.deepcopy(wrapped)
    rounded.weight.data.copy_(w)
    torch.testing.assert_close(layer(x), rounded(xq), rtol=0, atol=1e-10)
    assert not torch.equal(layer(x), wrapped(x))


def test_a_subclass_that_changes_its_weight_has_no_rounded_exact_path() -> None:
    class Standardised(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
            return self._conv_forward(x, w, self.bias)

    model = nn.Sequential(nn.Conv2d(2, 8, 3), Standardised(8, 8, 3), nn.Conv2d(8, 3, 3))
    x = inputs(2, (2, 9, 9))
    assert len(list(noisy_layers(inject(model, InjectionSpec(TopK(0.5), Sparse(0.5)), x)))) == 1
    with pytest.raises(UserError, match=r"layer 1 \(Standardised\) does not apply its weight"):
        inject(model, InjectionSpec(TopK(0.5), Sparse(0.5), exact_bits=8), x)


@pytest.mark.parametrize("selection", DETERMINISTIC, ids=str)
@pytest.mark.parametrize("noise", [None, Zero()])
@each_kind
def test_nan_shows_in_its_own_sample_alone(
    wrapped: Any, shape: tuple[int, ...], selection: Selection, noise: Noise | None
) -> None:
    layer = noisy(wrapped(), selection, **({} if noise is None else {"noise": noise}))
    x = inputs(3, shape)
    clean = layer(x)
    x[1].view(-1)[3] = torch.nan
    z = layer(x)
    assert torch.equal(z[[0, 2]], clean[[0, 2]])
    expected = layer.exact(x).isnan()
    assert expected[1].any()
    assert torch.equal(z.isnan(), expected)


@pytest.mark.parametrize(
    "selection", [TopK(0.5), Threshold(0.5), NM(2, 4), Block(0.5, 1, 4), Channel(0.5), Inverted(0.5)]
)  # fmt: skip
@each_kind
def test_nan_scores_are_not_essential_while_others_exist(
    wrapped: Any, shape: tuple[int, ...], selection: Selection
) -> None:
    layer = noisy(wrapped(), selection)
    layer.b_tilde.data[0, 2] = torch.nan
    x = inputs(3, shape)
    channels = layer.geometry.rows(layer.mask(layer.approximate(x)))
    assert not channels[:, 2].any()
    assert channels.any()


@each_kind
def test_scores_of_magnitude_and_of_an_owned_layer(wrapped: Any, shape: tuple[int, ...]) -> None:
    """|bn(z)| per channel, by the running statistics, without a gradient to the batch norm."""
    layer = noisy(wrapped(), TopK(0.5), normalise=True, score="magnitude")
    n = len(layer.wrapped.weight)
    bn = nn.BatchNorm1d(n)
    for i, tensor in enumerate((bn.running_mean, bn.running_var, bn.weight.data, bn.bias.data)):
        assert tensor is not None
        tensor.copy_(0.5 + torch.rand(n, generator=draws(i)))
    layer.batch_norm = (bn,)
    z = layer.exact(inputs(3, shape))
    expected = bn.eval()(layer.geometry.rows(z)).abs()
    score = layer.score(z)
    torch.testing.assert_close(score.movedim(1, -1).flatten(0, -2), expected)
    score.sum().backward()
    assert bn.weight.grad is None
    assert bn.bias.grad is None


def test_paths_and_temperatures_are_set(noisy: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    x = digits[0][:5]
    for _, layer in noisy_layers(noisy):
        nn.init.normal_(layer.W_tilde, generator=draws())
    outputs = []
    for path, temperature in (
        ("injected", 0.1),
        ("exact", 0.1),
        ("approximate", 0.1),
        ("soft", 1),
        ("soft", 3),
    ):
        set_path(noisy, path, temperature)  # type: ignore[arg-type]
        outputs.append(noisy(x))
    for i, first in enumerate(outputs):
        assert not any(torch.equal(first, second) for second in outputs[:i])


def test_unrounded_choices_use_the_wrapped_module_itself() -> None:
    """Hooks on the wrapped module run, as they did before injection."""
    layer = noisy(linear(), TopK(0.5))
    seen: list[Tensor] = []
    layer.wrapped.register_forward_hook(lambda _, __, z: seen.append(z))
    layer(inputs(3, (16,)))
    assert len(seen) == 1
    torch.testing.assert_close(
        seen[0], F.linear(inputs(3, (16,)), layer.wrapped.weight, layer.wrapped.bias)
    )


def test_what_others_read_of_a_layer_is_still_there() -> None:
    """As Swin's attention reads ``qkv.weight``, and mixed precision ``weight.dtype``."""

    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(48, 80), nn.Linear(80, 80)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x.flatten(1)).relu()[:, : self.last.in_features]
            x = x.to(self.last.weight.dtype) * self.last.weight.shape[1] / self.last.out_features
            return self.last(x) - self.last.bias.mean()  # type: ignore[no-any-return]

    x = torch.rand(16, 3, 4, 4)
    spec = InjectionSpec(TopK(0.5), Sparse(0.25), layers=("last",), normalise=False)
    noisy = inject(Reading().eval(), spec, x[:1])
    assert isinstance(noisy.last, NoisyLayer)
    assert noisy(x).shape == (16, 80)
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'absent'"):
        noisy.last.absent  # noqa: B018
