from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers, set_path
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared import TapShared
from nenni.method.report import report
from nenni.method.spec import InjectionSpec

MakeSpec = Callable[..., InjectionSpec]


EXACT = {"weight_bits": 32, "input_bits": 32, "projected_bits": 32}


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("projection", [Sparse(0.25), TapShared(0.25)])
def test_closed_form_is_least_squares(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], projection: Sparse
) -> None:
    """Without rounding and ridge, W~ is what a generic solver finds for the same features."""
    x = digits[0][:300]
    noisy = inject(trained, make_spec(projection=projection, **EXACT), x[:1])
    fit(noisy, x, epochs=0, ridge=0, batch_size=64)
    inputs = torch.relu(trained.get_submodule("conv1")(x))
    layer = dict(noisy_layers(noisy))["conv2"]
    features = layer.geometry.features(layer.projected_rounded(inputs)).double()
    design = torch.cat([features, torch.ones(len(features), 1, dtype=torch.float64)], 1)
    target = layer.geometry.rows(layer.exact(inputs)).double()
    expected = torch.linalg.lstsq(design, target).solution
    error = (layer.geometry.rows(layer.approximate(inputs)).double() - target).square().mean()
    assert error <= (design @ expected - target).square().mean() * 1.001


def test_full_rank_without_rounding_fits_exactly(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    """conv4 has d = 144 inputs; with k = 2 d rows P is injective and z~ equals z."""

    class Wide(Sparse):
        def rows(self, d: int) -> int:
            return 2 * d

    noisy = inject(trained, make_spec(projection=Wide(1.0), **EXACT), digits[0][:1])
    fit(noisy, digits[0][:400], epochs=0, ridge=1e-9)
    errors = report(noisy, digits[0][:100]).set_index("layer")["relative_error"]
    assert errors[["conv2", "conv3", "conv4"]].max() < 1e-2


def test_refinement_lowers_the_error_through_the_roundings(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    def error(epochs: int) -> float:
        noisy = inject(trained, make_spec(weight_bits=3), digits[0][:1])
        fit(noisy, digits[0][:500], epochs=epochs, lr=3e-3)
        return float(report(noisy, digits[0][500:700])["relative_error"].mean())

    assert error(4) < 0.97 * error(0)


def test_fit_changes_nothing_else(noisy: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    set_path(noisy, "exact")
    before = noisy(digits[0][:20])
    set_path(noisy, "injected")
    noisy.train()
    state = torch.random.get_rng_state()
    fit(noisy, digits[0][:100], epochs=1)
    assert noisy.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(layer.path == "injected" for _, layer in noisy_layers(noisy))
    set_path(noisy.eval(), "exact")
    assert torch.equal(noisy(digits[0][:20]), before)
