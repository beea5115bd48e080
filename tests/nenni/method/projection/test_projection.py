import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers
from nenni.method.noise.resample import Resample
from nenni.method.noisy_conv2d import NoisyConv2d
from nenni.method.projection.count_sketch import CountSketch
from nenni.method.projection.gaussian import Gaussian
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared import TapShared
from nenni.method.projection.tap_shared_pca import TapSharedPCA
from nenni.method.report import report
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec

MakeSpec = Callable[..., InjectionSpec]
ALL = [Sparse, Gaussian, CountSketch, TapShared, TapSharedPCA]
EXACT = {"weight_bits": 32, "input_bits": 32, "projected_bits": 32}


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("projection", [Sparse(0.5), TapShared(0.5)])
def test_entries_are_ternary_with_the_right_shares(projection: Sparse | TapShared) -> None:
    k, d = 200, 300
    p = projection.sample(k, d, draws())
    codes = p / math.sqrt(3 / k)
    assert p.shape == (k, d)
    assert set(codes.round(decimals=5).unique().tolist()) == {-1, 0, 1}
    for code, share in ((-1, 1 / 6), (0, 2 / 3), (1, 1 / 6)):
        found = (codes.round() == code).float().mean()
        assert found == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / (k * d)))


def test_squared_norm_is_unbiased_with_the_stated_variance() -> None:
    """Var |Px|^2 = 2 |x|^4 / k for entries with fourth moment 3 (Achlioptas 2003, section 5)."""
    k, d, n = 32, 100, 4000
    x = torch.randn(d, generator=draws(1), dtype=torch.float64)
    norms = torch.stack(
        [(Sparse(0.32).sample(k, d, draws(i)).double() @ x).square().sum() for i in range(n)]
    )
    squared = x.square().sum()
    assert norms.mean() / squared == pytest.approx(1, abs=4 * math.sqrt(2 / k / n))
    assert norms.var() / squared**2 == pytest.approx(2 / k, rel=0.15)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("ratio", "d", "k"), [(0.125, 72, 9), (0.125, 4, 1), (1.0, 5, 5)])
def test_rows(kind: Any, ratio: float, d: int, k: int) -> None:
    projection = kind(ratio)
    assert projection.rows(d) == k
    assert projection.sample(k, d, draws()).shape == (k, d)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("ratio", [0, -0.1, 1.1, math.nan])
def test_ratios_lie_above_0_and_up_to_1(kind: Any, ratio: float) -> None:
    with pytest.raises(ValueError, match="ratio"):
        kind(ratio=ratio)


@pytest.mark.parametrize("kind", ALL)
def test_a_seed_gives_the_matrix(kind: Any) -> None:
    state = torch.random.get_rng_state()
    first, again, other = (kind(0.5).sample(8, 16, draws(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("projection", "variance"),
    [
        (Gaussian(0.5), lambda x, k: 2 * x.square().sum() ** 2 / k),
        (CountSketch(0.5), lambda x, k: 2 * (x.square().sum() ** 2 - x.pow(4).sum()) / k),
    ],
)
@pytest.mark.parametrize("k", [1, 12])
def test_squared_norms_have_the_stated_mean_and_variance(
    projection: Any, variance: Callable[[Tensor, int], Tensor], k: int
) -> None:
    """For an x whose fourth powers matter; the tolerance is that of 4,000 draws."""
    d, n = 10, 4000
    x = torch.linspace(0.2, 2, d, dtype=torch.float64)
    shared = draws(3)
    norms = torch.stack(
        [(projection.sample(k, d, shared).double() @ x).square().sum() for _ in range(n)]
    )
    expected = float(variance(x, k))
    assert float(norms.mean()) == pytest.approx(
        float(x.square().sum()), abs=4.5 * math.sqrt(expected / n)
    )
    fourth = float((norms - norms.mean()).pow(4).mean())
    spread = math.sqrt((fourth - expected**2) / n)
    assert float(norms.var()) == pytest.approx(expected, abs=4.5 * spread)
    assert expected > 10 * spread


def test_gaussian_entries_are_normal_and_independent() -> None:
    k, d = 100, 400
    p = Gaussian(0.25).sample(k, d, draws()).double() * math.sqrt(k)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        error = 4.5 * math.sqrt(variance / (k * d))
        assert float(p.pow(power).mean()) == pytest.approx(moment, abs=error)
    assert float((p[1:] * p[:-1]).mean()) == pytest.approx(0, abs=4.5 / math.sqrt(k * d))
    assert float((p[:, 1:] * p[:, :-1]).mean()) == pytest.approx(0, abs=4.5 / math.sqrt(k * d))


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 2**31))
def test_count_sketch_adds_each_input_once(k: int, d: int, seed: int) -> None:
    p = CountSketch(1.0).sample(k, d, draws(seed))
    assert (p.count_nonzero(0) == 1).all()
    assert set(p[p != 0].tolist()) <= {-1.0, 1.0}


def test_count_sketch_uses_all_rows_and_both_signs_evenly() -> None:
    k, d = 8, 40_000
    p = CountSketch(1.0).sample(k, d, draws())
    assert (p.count_nonzero(1) - d / k).abs().max() < 4.5 * math.sqrt(d / k)
    assert p.sum(1).abs().max() < 4.5 * math.sqrt(d / k)


@settings(max_examples=20)
@given(st.integers(1, 12), st.integers(0, 8), st.integers(0, 2**31))
def test_rows_of_a_learned_projection_are_orthonormal(k: int, more: int, seed: int) -> None:
    """Before the fit and after it, and then the leading eigenvectors."""
    d = k + more
    drawn = TapSharedPCA(1.0).sample(k, d, draws(seed)).double()
    root = torch.randn(d, d, generator=draws(seed), dtype=torch.float64)
    covariance = root @ root.T
    learned = TapSharedPCA(1.0).learn(k, covariance)
    for p in (drawn, learned):
        torch.testing.assert_close(p @ p.T, torch.eye(k).double(), rtol=0, atol=1e-5)
    values = torch.linalg.eigvalsh(covariance).flip(0)[:k]
    torch.testing.assert_close(learned @ covariance @ learned.T, torch.diag(values))
    largest = learned.gather(1, learned.abs().argmax(1, keepdim=True))
    assert (largest > 0).all()


def structured(n: int, channels: int, rank: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images around a large mean whose channels lie near a subspace; and its basis."""
    basis = torch.linalg.qr(torch.randn(channels, rank, generator=draws(seed))).Q
    hidden = torch.randn(n, rank, 6, 6, generator=draws(seed + 1)) * 3
    noise = torch.randn(n, channels, 6, 6, generator=draws(seed + 2)) * 0.1
    images = torch.einsum("cr,nrhw->nchw", basis, hidden) + noise
    return images + 20 * torch.randn(channels, 1, 1, generator=draws(seed + 3)), basis


@pytest.mark.parametrize("seed", [0, 10])
def test_the_fit_learns_the_leading_subspace_and_not_the_mean(seed: int) -> None:
    images, basis = structured(120, 12, 3, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Conv2d(12, 8, 3, padding=1), nn.Conv2d(8, 2, 3))
    spec = InjectionSpec(TopK(0.5), TapSharedPCA(0.25), **EXACT, layers=("0",))
    noisy = inject(model, spec, images[:1])
    fit(noisy, images, batch_size=50)
    P = dict(noisy_layers(noisy))["0"].P[0, :, :, 0, 0]
    torch.testing.assert_close(P @ P.T, torch.eye(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(P.T @ P, basis @ basis.T, rtol=0, atol=0.02)
    pixels = images.movedim(1, -1).flatten(0, 2)
    leading = torch.linalg.svd(pixels - pixels.mean(0), full_matrices=False).Vh[:3]
    torch.testing.assert_close(P.T @ P, leading.T @ leading, rtol=0, atol=1e-4)
    assert report(noisy, images)["relative_error"].item() < 0.1


def test_the_fit_learns_the_leading_subspace_of_a_linear_layer() -> None:
    basis = torch.linalg.qr(torch.randn(20, 4, generator=draws(1))).Q
    x = torch.randn(300, 7, 4, generator=draws(2)) @ basis.T * 2 + 5
    x = x + 0.05 * torch.randn(x.shape, generator=draws(3))
    model = nn.Sequential(nn.Linear(20, 10), nn.Linear(10, 2))
    noisy = inject(
        model, InjectionSpec(TopK(0.5), TapSharedPCA(0.2), **EXACT, layers=("0",), min_inputs=1), x[:1]
    )  # fmt: skip
    fit(noisy, x)
    P = dict(noisy_layers(noisy))["0"].P[0]
    torch.testing.assert_close(P.T @ P, basis @ basis.T, rtol=0, atol=0.02)


def test_learned_components_err_less_than_drawn_ones_on_digits(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    """With W~ as the least squares has it and with all roundings."""
    for bits in ({}, EXACT):
        errors = {}
        for projection in (TapShared(0.25), TapSharedPCA(0.25)):
            noisy = inject(trained, make_spec(projection=projection, **bits), digits[0][:1])
            fit(noisy, digits[0][:400])
            table = report(noisy, digits[0][400:600]).set_index("layer")
            errors[type(projection)] = table["relative_error"]
        convolutions = ["conv2", "conv3", "conv4"]
        pca, drawn = errors[TapSharedPCA][convolutions], errors[TapShared][convolutions]
        assert (pca < drawn).all()
        assert pca.mean() < 0.9 * drawn.mean()


def test_the_drawn_projections_are_not_changed_by_the_fit(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    for projection in (Sparse(0.25), Gaussian(0.25), CountSketch(0.25), TapShared(0.25)):
        noisy = inject(trained, make_spec(projection=projection, noise=Resample(2)), digits[0][:1])
        before = [layer.P.clone() for _, layer in noisy_layers(noisy)]
        fit(noisy, digits[0][:60], epochs=1)
        for P, (_, layer) in zip(before, noisy_layers(noisy), strict=True):
            assert torch.equal(P, layer.P)


class WideSparse(Sparse):
    def rows(self, d: int) -> int:
        return 2 * d


class WideGaussian(Gaussian):
    def rows(self, d: int) -> int:
        return 2 * d


@pytest.mark.parametrize(
    "projection",
    [WideSparse(1.0), WideGaussian(1.0), Gaussian(1.0), TapShared(1.0), TapSharedPCA(1.0)],
    ids=str,
)
@pytest.mark.parametrize("padding", [0, 2])
def test_full_rank_without_rounding_is_exact_as_the_ridge_vanishes(
    projection: Any, padding: int
) -> None:
    """Conv and linear layers in float64: z~ is z, and the error falls with the ridge."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3, padding=padding, padding_mode="zeros"),
            nn.ReLU(), nn.Flatten(), nn.Linear(6 * (6 + 2 * padding) ** 2, 30), nn.Tanh(), nn.Linear(30, 2),
        ).double()  # fmt: skip
    x = torch.randn(600, 3, 10, 10, generator=draws(), dtype=torch.float64)
    spec = InjectionSpec(TopK(0.0), projection, **EXACT, layers=("2",))
    errors = []
    for ridge in (1e-2, 1e-5, 0):
        noisy = inject(model, spec, x[:1])
        fit(noisy, x[:200], ridge=ridge)
        errors.append(report(noisy, x[200:220])["relative_error"].item())
    layer = dict(noisy_layers(noisy))["2"]
    assert torch.linalg.matrix_rank(layer.P[0].flatten(1)) == layer.P[0, 0].numel()
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 1e-4
    assert errors[-1] < 1e-6
    torch.testing.assert_close(noisy(x[200:]), model(x[200:]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [Sparse, Gaussian, CountSketch])
def test_errors_fall_with_the_ratio(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], kind: Any
) -> None:
    errors = []
    for ratio in (0.05, 0.3, 1.0):
        noisy = inject(trained, make_spec(projection=kind(ratio), **EXACT), digits[0][:1])
        fit(noisy, digits[0][:300])
        errors.append(report(noisy, digits[0][300:400])["relative_error"].iloc[0])
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.parametrize(("stride", "dilation", "padding"), [(1, 1, 1), (2, 1, 0), (1, 2, (2, 1))])
def test_tap_shared_equals_its_expanded_matrix(
    stride: int, dilation: int, padding: int | tuple[int, int]
) -> None:
    conv = nn.Conv2d(16, 8, 3, stride, padding, dilation).double()
    spec = InjectionSpec(TopK(0.5), TapShared(0.25), 32, 32, 32)
    layer = NoisyConv2d(conv, spec, draws())
    nn.init.normal_(layer.W_tilde)
    x = torch.randn(3, 16, 9, 9, dtype=torch.float64)
    columns = F.unfold(x, 3, dilation, padding, stride)  # (N, 16 * 9, M)
    expanded = torch.kron(
        layer.P[0, :, :, 0, 0], torch.eye(9, dtype=torch.float64)
    )  # (4 * 9, 16 * 9)
    z = layer.W_tilde[0].flatten(1) @ (expanded @ columns)
    expected = z.view_as(conv(x)) + layer.b_tilde[0].view(1, -1, 1, 1)
    torch.testing.assert_close(layer.approximate(x), expected)
