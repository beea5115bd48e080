"""The two-path layers on their own, over layer geometry."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nenni.errors import UserError
from nenni.injection import inject, noisy_layers, set_path
from nenni.layers import NoisyLayer
from nenni.mixing import mix
from nenni.noise.zero import Zero
from nenni.noisy_conv2d import NoisyConv2d
from nenni.noisy_linear import NoisyLinear
from nenni.projection.count_sketch import CountSketch
from nenni.projection.gaussian import Gaussian
from nenni.projection.sparse import Sparse
from nenni.projection.tap_shared import TapShared
from nenni.projection.tap_shared_pca import TapSharedPCA
from nenni.protocols import Noise, Selection
from nenni.quantise import quantise, quantise_weight
from nenni.selection.all import All
from nenni.selection.block import Block
from nenni.selection.channel import Channel
from nenni.selection.inverted import Inverted
from nenni.selection.n_m import NM
from nenni.selection.none import Nothing
from nenni.selection.oracle import Oracle
from nenni.selection.random import Random
from nenni.selection.threshold import Threshold
from nenni.selection.topk import TopK
from nenni.spec import Choices, InjectionSpec

PROJECTIONS = [Sparse, Gaussian, CountSketch, TapShared, TapSharedPCA]
DETERMINISTIC: list[Selection] = [
    TopK(0.4), Threshold(0.4), NM(2, 4), Block(0.5, 3, 4), Channel(0.5), Inverted(0.4), Oracle(0.4),
    All(), Nothing(),
]  # fmt: skip
EXACT = {"weight_bits": 32, "input_bits": 32, "projected_bits": 32}
Geometry = tuple[nn.Conv2d | nn.Linear, tuple[int, ...]]


@st.composite
def convolutions(draw: st.DrawFn) -> Geometry:
    """A convolution and the shape of one of its inputs."""
    kernel = draw(st.sampled_from([1, 2, 3, (3, 1)]))
    padding = draw(st.sampled_from([0, 1, (1, 0), "same", "valid"]))
    stride = 1 if padding == "same" else draw(st.sampled_from([1, 2, (2, 1)]))
    with torch.random.fork_rng():
        torch.manual_seed(draw(st.integers(0, 2**31)))
        layer = nn.Conv2d(
            draw(st.sampled_from([1, 3, 8])),
            draw(st.sampled_from([1, 4, 6])),
            kernel,
            stride,
            padding,
            dilation=draw(st.sampled_from([1, 2, (1, 2)])),
            bias=draw(st.booleans()),
            padding_mode=draw(st.sampled_from(["zeros", "reflect", "circular"])),
        )
    return layer, (layer.in_channels, *draw(st.sampled_from([(7, 7), (6, 9)])))


@st.composite
def linear_layers(draw: st.DrawFn) -> Geometry:
    with torch.random.fork_rng():
        torch.manual_seed(draw(st.integers(0, 2**31)))
        layer = nn.Linear(
            draw(st.sampled_from([1, 5, 16])), draw(st.sampled_from([1, 4, 6])), draw(st.booleans())
        )
    return layer, (*draw(st.sampled_from([(), (1,), (5,)])), layer.in_features)


geometries = st.one_of(convolutions(), linear_layers())
projections = st.builds(
    lambda kind, ratio: kind(ratio),
    st.sampled_from(PROJECTIONS),
    st.sampled_from([1e-9, 0.3, 0.9, 1.0]),
)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def inputs(count: int, shape: tuple[int, ...], seed: int = 1, **kind: Any) -> Tensor:
    return torch.randn(count, *shape, generator=draws(seed), **kind)


def noisy(wrapped: nn.Conv2d | nn.Linear, selection: Selection, **choices: Any) -> NoisyLayer:
    """A noisy layer as if it were fitted: W~ and b~ drawn, scales that clip some values."""
    kind = NoisyConv2d if isinstance(wrapped, nn.Conv2d) else NoisyLinear
    defaults = {"projection": Sparse(0.5), "normalise": False}
    layer = kind(wrapped, Choices(selection, **(defaults | choices)), draws())  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in (layer.W_tilde, layer.b_tilde):
            parameter.copy_(torch.randn(parameter.shape, generator=draws(2)))
        layer.input_scale.fill_(0.2)
        layer.projected_scale.fill_(0.3)
        layer.exact_scale.fill_(0.25)
        layer.threshold.fill_(0.1)
    return layer


def conv(**choices: Any) -> nn.Conv2d:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Conv2d(8, 6, 3, **({"padding": 1} | choices))


def linear() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(16, 12)


WRAPPED = [(conv, (8, 5, 7)), (linear, (16,)), (linear, (3, 16))]
each_kind = pytest.mark.parametrize(("wrapped", "shape"), WRAPPED)


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
    assert layer.rows(z).shape == (z.numel() // len(wrapped.weight), len(wrapped.weight))


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
    flat = layer.features(p) @ weight.flatten(1).T + layer.b_tilde[0]
    torch.testing.assert_close(layer.rows(layer.approximate(x)), flat, rtol=1e-10, atol=1e-10)


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
    rows = layer.features(layer.projected_rounded(x))
    expected = rows @ layer.W_tilde[0].flatten(1).T + layer.b_tilde[0]
    torch.testing.assert_close(layer.rows(layer.approximate(x)), expected, rtol=1e-10, atol=1e-10)
    if not projection.shared_taps or isinstance(layer, NoisyLinear):
        projected = layer.inputs(x) @ layer.P[0].flatten(1).T
        unrounded = noisy(wrapped, TopK(0.5), projection=projection, **EXACT)
        torch.testing.assert_close(layer.rows(unrounded.projected(x)), projected)


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
    channels = layer.rows(layer.mask(layer.approximate(x)))
    assert not channels[:, 2].any()
    assert channels.any()


@pytest.mark.parametrize("selection", [*DETERMINISTIC, Random(0.4)], ids=str)
@pytest.mark.parametrize("projection", [kind(0.5) for kind in PROJECTIONS], ids=str)
def test_channels_last_is_kept_and_changes_no_value(selection: Selection, projection: Any) -> None:
    layer = noisy(conv(), selection, projection=projection, **EXACT).double()
    x = inputs(3, (8, 5, 7), dtype=torch.float64)
    last = x.to(memory_format=torch.channels_last)
    layer.seed(1)
    expected = layer(x)
    layer.to(memory_format=torch.channels_last).seed(1)
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
    layer.seed(4)
    twin.seed(4)
    expected = layer(x)
    assert torch.equal(twin(x), expected)
    for tensor in twin.state_dict().values():
        tensor.fill_(7.0)
    layer.seed(4)
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


BORDERS: list[Selection] = [
    TopK(0.5), Threshold(0.5), NM(2, 4), Block(0.5, 2, 2), Channel(0.5), Inverted(0.5), Oracle(0.5),
]  # fmt: skip


@pytest.mark.parametrize("selection", BORDERS, ids=str)
@pytest.mark.parametrize(("shape", "score"), [((3, 4, 3), "signed"), ((6,), "magnitude")])
def test_gradients_agree_with_finite_differences(
    selection: Selection, shape: tuple[int, ...], score: Any
) -> None:
    """Of everything that is learned, and of the input: the hard mask is constant nearby."""
    layer, names = _small(selection, shape, score)

    def forward(x: Tensor, *values: Tensor) -> Any:
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    parameters = [layer.get_parameter(n).detach().clone().requires_grad_() for n in names]
    x = inputs(2, shape, dtype=torch.float64).requires_grad_()
    assert 0 < layer.mask(layer.approximate(x)).double().mean() < 1
    assert torch.autograd.gradcheck(forward, (x, *parameters), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("selection", [TopK(0.5), Threshold(0.5), Oracle(0.5)], ids=str)
@pytest.mark.parametrize(("shape", "score"), [((3, 4, 3), "signed"), ((6,), "magnitude")])
def test_soft_gradients_agree_with_finite_differences(
    selection: Selection, shape: tuple[int, ...], score: Any
) -> None:
    """With the border and the width of the mask held constant, as the backward pass holds them."""
    layer, names = _small(selection, shape, score)
    layer.path, layer.temperature = "soft", 0.3
    x = inputs(2, shape, dtype=torch.float64).requires_grad_()

    def judged(x: Tensor) -> Tensor:
        return layer.score(layer.exact(x) if selection.judges_exact else layer.approximate(x))

    with torch.no_grad():
        s = judged(x)
        mask = selection.mask(s, draws()).flatten(1)
        inside = s.flatten(1).masked_fill(~mask, torch.inf).amin(1)
        outside = s.flatten(1).masked_fill(mask, -torch.inf).amax(1)
        border = 0 if isinstance(selection, Threshold) else (inside + outside)[:, None] / 2
        width = 0.3 * s.flatten(1).std(1, correction=0, keepdim=True)

    def expected(x: Tensor) -> Tensor:
        m = torch.sigmoid((judged(x).flatten(1) - border) / width).view_as(s)
        return m * layer.exact(x) + (1 - m) * layer.approximate(x)

    torch.testing.assert_close(layer(x), expected(x))
    assert torch.autograd.gradcheck(expected, (x,), eps=1e-7, atol=1e-5)
    weights = torch.randn(layer(x).shape, generator=draws(4), dtype=torch.float64)
    tensors = [x, *(layer.get_parameter(name) for name in names)]
    found = torch.autograd.grad((layer(x) * weights).sum(), tensors)
    reference = torch.autograd.grad((expected(x) * weights).sum(), tensors)
    torch.testing.assert_close(found, reference)


def _small(
    selection: Selection, shape: tuple[int, ...], score: Any
) -> tuple[NoisyLayer, list[str]]:
    """A layer in float64 without rounding, and the names of what is learned in it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        wrapped = nn.Linear(6, 4) if len(shape) == 1 else nn.Conv2d(3, 4, 2)
    layer = noisy(wrapped.double(), selection, score=score, normalise=True, **EXACT)
    layer.threshold.zero_()
    scores = layer.score(layer.approximate(inputs(2, shape, dtype=torch.float64))).detach()
    layer.threshold.copy_((scores.max() + scores.min()) / 2)
    return layer, ["wrapped.weight", "wrapped.bias", "W_tilde", "b_tilde"]


@pytest.mark.parametrize("selection", BORDERS, ids=str)
@each_kind
def test_the_soft_mask_becomes_the_hard_one(
    wrapped: Any, shape: tuple[int, ...], selection: Selection
) -> None:
    layer = noisy(wrapped(), selection, **EXACT).double()
    x = inputs(3, shape, dtype=torch.float64)
    z = layer.exact(x) if selection.judges_exact else layer.approximate(x)
    hard = layer.mask(z).double()
    distances = []
    for layer.temperature in (10, 1, 0.1, 1e-9):
        soft = layer.soft_mask(z)
        assert ((soft >= 0) & (soft <= 1)).all()
        assert ((soft > 0.5) == hard.bool()).all()
        distances.append((soft - hard).abs().max().item())
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.3
    assert distances[-1] < 1e-6
    layer.path = "soft"
    torch.testing.assert_close(layer(x), mix(layer.exact(x), layer.approximate(x), hard.bool()))


@pytest.mark.parametrize("selection", [TopK(0), TopK(1), Threshold(0), Threshold(1)], ids=str)
@pytest.mark.parametrize("noise", [None, Zero()])
@each_kind
def test_soft_masks_of_all_and_of_none(
    wrapped: Any, shape: tuple[int, ...], selection: Any, noise: Noise | None
) -> None:
    layer = noisy(wrapped(), selection, **({} if noise is None else {"noise": noise}))
    layer.threshold.fill_(-torch.inf if selection.fraction else torch.inf)  # as the fit does
    layer.path = "soft"
    x = inputs(3, shape).requires_grad_()
    assert (layer.soft_mask(layer.approximate(x)) == selection.fraction).all()
    layer(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_soft_mask_without_a_border_is_the_mask() -> None:
    layer = noisy(linear(), Random(0.5))
    z = layer.approximate(inputs(3, (16,)))
    layer.seed(3)
    hard = layer.mask(z)
    layer.seed(3)
    assert torch.equal(layer.soft_mask(z), hard.float())
    assert (noisy(linear(), All()).soft_mask(z) == 1).all()
    assert (noisy(linear(), Nothing()).soft_mask(z) == 0).all()


@each_kind
def test_the_score_has_a_gradient_only_through_the_soft_mask(
    wrapped: Any, shape: tuple[int, ...]
) -> None:
    layer = noisy(wrapped(), TopK(0.5))
    z = layer.approximate(inputs(3, shape)).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(layer.soft_mask(z).sum(), z)
    assert (gradient > 0).any()
    assert not layer.mask(z).requires_grad


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

    p = layer._project(ste(x, layer.input_scale, bits), layer.P[0])
    p = ste(p, layer.projected_scale[0], projected_bits)
    z_tilde = layer._combine(p, weights(layer.W_tilde[0]), layer.b_tilde[0])
    z = layer._operate(ste(x, layer.exact_scale, bits), weights(wrapped.weight), wrapped.bias)
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
    rows = layer.rows(layer.exact(x))
    assert torch.equal(layer.wrapped.bias.grad, torch.full_like(layer.wrapped.bias, len(rows)))


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
    expected = bn.eval()(layer.rows(z)).abs()
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
