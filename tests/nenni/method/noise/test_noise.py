import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.method.fit import fit
from nenni.method.injection import inject, is_randomised, noisy_layers
from nenni.method.network_file import load, save
from nenni.method.noise.approximation import Approximation
from nenni.method.noise.gaussian import GaussianNoise
from nenni.method.noise.resample import Resample
from nenni.method.noise.uniform import UniformNoise
from nenni.method.noise.zero import Zero
from nenni.method.noisy_conv2d import NoisyConv2d
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.noisy_linear import NoisyLinear
from nenni.method.projection.gaussian import Gaussian
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared_pca import TapSharedPCA
from nenni.method.report import report
from nenni.method.selection.none import Nothing
from nenni.method.selection.topk import TopK
from nenni.method.spec import Choices, InjectionSpec
from nenni.method.visit import visit_exact, visit_injected

MakeSpec = Callable[..., InjectionSpec]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layer_with(noise: Any, deviation: float, shape: tuple[int, ...], **choices: Any) -> NoisyLayer:
    """A layer with drawn W~, so that a mask depends on the input; the first n channels of shape."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        conv = len(shape) == 3
        wrapped = nn.Conv2d(shape[0], 24, 3, padding=1) if conv else nn.Linear(shape[0], 60)
    spec = Choices(TopK(0.3), Sparse(0.5), normalise=False, noise=noise, **choices)
    kind = NoisyConv2d if conv else NoisyLinear
    layer = kind(wrapped, spec, draws())  # type: ignore[arg-type]
    nn.init.normal_(layer.W_tilde, generator=draws(1))
    layer.error_deviation.fill_(deviation)
    return layer


@pytest.mark.parametrize("shape", [(6, 5, 5), (16,)])
@pytest.mark.parametrize(("noise", "kurtosis"), [(GaussianNoise(), 3.0), (UniformNoise(), 1.8)])
@settings(max_examples=5, deadline=None)
@given(deviation=st.floats(0.01, 30), seed=st.integers(0, 2**31))
def test_noise_has_the_stated_mean_and_variance_on_non_essential_neurons_alone(
    shape: tuple[int, ...], noise: Any, kurtosis: float, deviation: float, seed: int
) -> None:
    layer = layer_with(noise, deviation, shape).double().requires_grad_(False)
    x = torch.randn(400, *shape, generator=draws(2), dtype=torch.float64)
    z = layer.exact(x)
    mask = layer.mask(layer.approximate(x))
    with seeded(seed):
        added = (layer(x) - z) / layer.error_deviation
    assert not added[mask].any()
    e = added[~mask]
    assert abs(float(e.mean())) < 5 / math.sqrt(len(e))
    assert float(e.square().mean()) == pytest.approx(1, abs=5 * math.sqrt((kurtosis - 1) / len(e)))
    assert float(e.pow(4).mean()) == pytest.approx(kurtosis, rel=0.15)
    assert abs(float((e[1:] * e[:-1]).mean())) < 5 / math.sqrt(len(e))
    assert abs(float((e * z[~mask]).mean())) < 5 * float(z.std()) / math.sqrt(len(e))
    if isinstance(noise, UniformNoise):
        assert e.abs().max() <= math.sqrt(3) + 1e-9


@pytest.mark.parametrize("noise", [GaussianNoise(), UniformNoise()])
def test_noise_without_deviation_is_none(noise: Any) -> None:
    layer = layer_with(noise, 0.0, (16,))
    x = torch.randn(9, 16, generator=draws(2))
    assert torch.equal(layer(x), layer.exact(x))


@pytest.mark.parametrize("noise", [GaussianNoise(), UniformNoise()])
def test_noise_is_added_to_the_rounded_exact_path(noise: Any) -> None:
    layer = layer_with(noise, 0.0, (16,), exact_bits=4)
    layer.exact_scale.fill_(0.3)
    x = torch.randn(9, 16, generator=draws(2))
    assert torch.equal(layer(x), layer.essential(x))
    assert not torch.equal(layer(x), layer.exact(x))


def test_zero_drops_the_non_essential_neurons() -> None:
    layer = layer_with(Zero(), 1.0, (6, 5, 5))
    x = torch.randn(9, 6, 5, 5, generator=draws(2))
    mask = layer.mask(layer.approximate(x))
    assert torch.equal(layer(x), layer.exact(x) * mask)
    assert not is_randomised(layer)


@pytest.mark.parametrize("noise", [GaussianNoise(), UniformNoise(), Resample(3)])
def test_draws_differ_between_passes_and_repeat_after_seeding(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], noise: Any
) -> None:
    x = digits[0][:20]
    noisy = inject(trained, make_spec(noise=noise, projection=Gaussian(0.25)), x[:1])
    fit(noisy, digits[0][:100])
    assert is_randomised(noisy)
    with seeded(7, "a"):
        first = [noisy(x) for _ in range(6)]
    with seeded(7, "a"):
        assert all(torch.equal(noisy(x), expected) for expected in first)
    assert len({tuple(z.flatten().tolist()) for z in first}) >= 4
    with seeded(7, "b"):
        assert not all(torch.equal(noisy(x), expected) for expected in first)


@pytest.mark.parametrize("noise", [Approximation(), Zero()])
def test_other_noises_are_not_randomised(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], noise: Any
) -> None:
    noisy = inject(trained, make_spec(noise=noise), digits[0][:1])
    fit(noisy, digits[0][:100])
    assert not is_randomised(noisy)
    assert torch.equal(noisy(digits[0][:20]), noisy(digits[0][:20]))


def test_every_layer_and_every_sample_draws_for_itself(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    """One image 60 times: its copies get other approximations, and not the same in each layer."""
    noisy = inject(trained, make_spec(noise=Resample(8), selection=Nothing()), digits[0][:1])
    fit(noisy, digits[0][:100])
    inputs: dict[NoisyLayer, Tensor] = {}
    visit_exact(noisy, [digits[0][:1]], lambda _, layer, x, __: inputs.update({layer: x}))
    drawn = []
    for layer, x in inputs.items():
        each = torch.stack([layer.approximate(x, i) for i in range(8)])
        apart = layer(x.repeat_interleave(60, 0)) - each
        drawn.append(tuple(apart.flatten(2).abs().amax(2).argmin(0).tolist()))
    assert len(set(drawn)) == len(drawn)
    for indices in drawn:
        assert set(indices) == set(range(8))


def test_each_sample_has_one_of_the_pool_of_its_own() -> None:
    """Drawn for all of them at once, flags of two images were not independent."""
    layer = layer_with(Resample(3), 1.0, (16,))
    nn.init.normal_(layer.b_tilde, generator=draws(3))
    x = torch.randn(5, 16, generator=draws(2))
    z, seen = layer.exact(x), set()
    each = [layer.approximate(x, i) for i in range(3)]
    options = torch.stack([torch.where(layer.mask(z_tilde), z, z_tilde) for z_tilde in each])
    for _ in range(30):
        is_one = (layer(x) - options).abs().amax(2) < 1e-5
        assert (is_one.sum(0) == 1).all()
        seen.add(tuple(is_one.int().argmax(0).tolist()))
    assert {i for drawn in seen for i in drawn} == {0, 1, 2}
    assert any(len(set(drawn)) > 1 for drawn in seen)


@pytest.mark.parametrize("shape", [(6, 5, 5), (16,)])
def test_each_of_the_pool_has_its_own_matrices_and_scales(shape: tuple[int, ...]) -> None:
    """z~ by hand from the i-th P, W~, b~ and scale of Q_p."""
    layer = layer_with(Resample(3), 1.0, shape)
    nn.init.normal_(layer.b_tilde, generator=draws(3))
    layer.projected_scale.copy_(torch.tensor([0.21, 0.53, 1.13]))
    layer.input_scale.fill_(0.3)
    x = torch.randn(5, *shape, generator=draws(2))
    patches = F.unfold(x, 3, padding=1).movedim(1, 2).flatten(0, 1) if len(shape) == 3 else x
    xq = (patches / 0.3).round().clamp(-7, 7) * 0.3
    for i, scale in enumerate((0.21, 0.53, 1.13)):
        p = ((xq @ layer.P[i].flatten(1).T) / scale).round().clamp(-7, 7) * scale
        W = layer.W_tilde[i].flatten(1)
        step = W.abs().amax(1, keepdim=True) / 7
        expected = p @ ((W / step).round() * step).T + layer.b_tilde[i]
        wrong = (layer.geometry.rows(layer.approximate(x, i)) - expected).abs() > 1e-4
        assert wrong.float().mean() < 0.02, "but where a value lies between two codes"


@pytest.fixture
def pooled(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> tuple[nn.Module, nn.Module]:
    """A fitted pool of four, and a single approximation."""
    networks = []
    for noise in (Resample(4), Approximation()):
        noisy = inject(trained, make_spec(noise=noise), digits[0][:1])
        fit(noisy, digits[0][:300], epochs=1)
        networks.append(noisy)
    return networks[0], networks[1]


def errors(noisy: nn.Module, images: Tensor) -> dict[str, list[float]]:
    """Relative error of each layer's approximations, one by one."""
    found: dict[str, list[float]] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        found[name] = [
            float((layer.approximate(x, i) - z).norm() / z.norm()) for i in range(layer.pool)
        ]

    visit_exact(noisy, [images], visit)
    return found


def test_each_of_the_pool_is_another_projection_fitted_as_well_as_one_alone(
    pooled: tuple[nn.Module, nn.Module], digits: tuple[Tensor, Tensor]
) -> None:
    pool, single = (errors(noisy, digits[0][300:400]) for noisy in pooled)
    for name, (alone,) in single.items():
        assert len(pool[name]) == 4
        assert max(pool[name]) < 1.5 * alone < 0.8
        assert min(pool[name]) > 0.6 * alone
    for _, layer in noisy_layers(pooled[0]):
        for i in range(4):
            for j in range(i):
                assert not torch.equal(layer.P[i], layer.P[j])
                assert not torch.equal(layer.W_tilde[i], layer.W_tilde[j])


def test_the_report_of_a_pool_is_the_mean(
    pooled: tuple[nn.Module, nn.Module], digits: tuple[Tensor, Tensor]
) -> None:
    x = digits[0][300:400]
    table = report(pooled[0], x, inputs="exact").set_index("layer")
    for name, members in errors(pooled[0], x).items():
        expected = math.sqrt(sum(error**2 for error in members) / 4)
        assert table["relative_error"][name] == pytest.approx(expected, rel=1e-4)
        assert table["fraction"][name] == pytest.approx(0.5, abs=0.01)


def test_a_pool_is_saved_and_loaded(
    pooled: tuple[nn.Module, nn.Module],
    trained: nn.Module,
    digits: tuple[Tensor, Tensor],
    tmp_path: Path,
) -> None:
    x = digits[0][:20]
    save(pooled[0], tmp_path / "pool.safetensors")
    loaded = load(tmp_path / "pool.safetensors", trained, x[:1])
    for draw in range(5):
        with seeded(draw):
            expected = pooled[0](x)
        with seeded(draw):
            assert torch.equal(loaded(x), expected)


def test_a_learned_projection_has_no_pool(make_spec: MakeSpec) -> None:
    """The same components each time: the noise would be called random and never differ."""
    with pytest.raises(UserError, match=r"Resample\(pool=4\).*TapSharedPCA.* are all the same"):
        make_spec(noise=Resample(4), projection=TapSharedPCA(0.25))
    make_spec(noise=Resample(1), projection=TapSharedPCA(0.25))


@pytest.mark.parametrize("noise", [Approximation(), Resample(2)])
def test_the_deviation_is_that_of_the_error_on_the_images_of_the_fit(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], noise: Any
) -> None:
    noisy = inject(trained, make_spec(noise=noise), digits[0][:1])
    fit(noisy, digits[0][:150], inputs="injected", batch_size=40)
    found: dict[str, list[Tensor]] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        own = layer.exact(x)
        found[name] = [layer.approximate(x, i) - own for i in range(layer.pool)]

    visit_injected(noisy, [digits[0][:150]], visit)
    for name, layer in noisy_layers(noisy):
        expected = torch.stack(found[name]).double().std(correction=0)
        assert float(layer.error_deviation) == pytest.approx(float(expected), rel=1e-4)
        assert expected > 0


def test_gaussian_noise_matches_the_approximation_in_a_network(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    """The control: with the same mask the same squared error, layer by layer, to sampling error."""
    squared: dict[str, dict[str, float]] = {}
    for noise in (Approximation(), GaussianNoise(), UniformNoise()):
        noisy = inject(trained, make_spec(noise=noise, selection=TopK(0.0)), digits[0][:1])
        fit(noisy, digits[0][:300], inputs="exact")
        table: dict[str, float] = {}

        def visit(
            name: str, layer: NoisyLayer, x: Tensor, z: Tensor, table: dict[str, float] = table
        ) -> None:
            layer.path = "injected"
            table[name] = float((layer.forward(x) - z).square().mean())
            layer.path = "exact"

        visit_exact(noisy, [digits[0][:300]], visit)
        squared[type(noise).__name__] = table
    for name, expected in squared["Approximation"].items():
        for control in ("GaussianNoise", "UniformNoise"):
            assert squared[control][name] == pytest.approx(expected, rel=0.06)
