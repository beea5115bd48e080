"""The closed form, and what follows from its sums."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.fitting.least_squares import ridge_solution, set_moments, sums_of
from nenni.method.injection import inject, noisy_layers
from nenni.method.noise.resample import Resample
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.projection.tap_shared import TapShared
from nenni.method.spec import InjectionSpec
from nenni.method.visit import SeenInExact, visit_exact

MakeSpec = Callable[..., InjectionSpec]


def test_the_ridge_solution_has_no_gradient() -> None:
    """Of the squared error and the penalty on W~ alone, in units of the features' mean square."""
    f = torch.randn(60, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4 + 1
    z = torch.randn(60, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = torch.cat([f, torch.ones(60, 1, dtype=torch.float64)], 1)
    W_tilde, b_tilde = ridge_solution(rows.T @ rows, rows.T @ z, 0.1)
    W_tilde, b_tilde = W_tilde.clone().requires_grad_(), b_tilde.clone().requires_grad_()
    error = (f @ W_tilde.T + b_tilde - z).square().sum()
    loss = error + 0.1 * f.square().sum(0).mean() * W_tilde.square().sum()
    gradients = torch.autograd.grad(loss, [W_tilde, b_tilde])
    assert all(g.abs().max() < 1e-5 * float(error.detach()) for g in gradients)


@pytest.mark.parametrize(
    "choices",
    [{}, {"projection": TapShared(0.25)}, {"noise": Resample(3)}, {"weight_bits": 2},
     {"weight_bits": 32, "input_bits": 32, "projected_bits": 32}],
)  # fmt: skip
def test_the_moments_are_those_of_a_second_look(
    trained: nn.Module,
    make_spec: MakeSpec,
    digits: tuple[Tensor, Tensor],
    choices: dict[str, object],
) -> None:
    """Weights that changed after the sums are the ones whose moments are set."""
    x = digits[0][:90]
    noisy = inject(trained, make_spec(**choices), x[:1])
    fit(noisy, x, inputs="exact")
    seen = SeenInExact(noisy, x, 40)
    sums = sums_of(seen)
    for _, layer in noisy_layers(noisy):
        layer.W_tilde.data *= 1.3
        layer.b_tilde.data += 0.1
    set_moments(seen, sums)
    scores: dict[str, list[Tensor]] = {}
    errors: dict[str, list[Tensor]] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        for i in range(layer.pool):
            z_tilde = layer.approximate(x, i)
            scores.setdefault(name, []).append(layer.geometry.rows(z_tilde).double())
            errors.setdefault(name, []).append((z_tilde - z).flatten().double())

    visit_exact(noisy, [x], visit)
    for name, layer in noisy_layers(noisy):
        rows = torch.cat(scores[name])
        near = {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(layer.score_mean.double(), rows.mean(0), **near)
        torch.testing.assert_close(layer.score_variance.double(), rows.var(0, correction=0), **near)
        deviation = torch.cat(errors[name]).std(correction=0)
        torch.testing.assert_close(layer.error_deviation.double(), deviation, **near)


def test_a_channel_that_never_changes_is_not_ranked_by_rounding(make_spec: MakeSpec) -> None:
    model = nn.Sequential(
        nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
    ).eval()
    with torch.no_grad():
        model[2].weight[:16] = 0
        model[2].bias[:16] = torch.randn(16)
    x = torch.randn(500, 32)
    noisy = inject(model, make_spec(normalise=True, min_inputs=64), x[:1])
    fit(noisy, x)
    layer = dict(noisy_layers(noisy))["2"]
    with torch.no_grad():
        score = layer.score(layer.approximate(torch.relu(model[0](x))))
    assert score[:, :16].abs().max() < 1e-4
    assert (score[:, 16:].std(0) - 1).abs().max() < 0.05
