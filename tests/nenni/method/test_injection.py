import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.method.fit import fit
from nenni.method.injection import (
    inject,
    injectable,
    is_randomised,
    noisy_layers,
    on_path,
    remove,
    set_path,
)
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared import TapShared
from nenni.method.selection.n_m import NM
from nenni.method.selection.random import Random
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec

MakeSpec = Callable[..., InjectionSpec]


def fitted(model: nn.Module, spec: InjectionSpec, images: Tensor) -> nn.Module:
    noisy = inject(model, spec, images[:1])
    fit(noisy, images[:200], epochs=0)
    return noisy


def test_first_last_and_narrow_layers_stay_exact(trained: nn.Module) -> None:
    x = torch.zeros(1, 1, 28, 28)
    assert injectable(trained, (), 64, x) == ["conv2", "conv3", "conv4", "fc1"]
    assert injectable(trained, (), 73, x) == ["conv4", "fc1"]


def test_exact_path_and_removal_are_bit_identical(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    x = digits[0][:50]
    before = copy.deepcopy(trained.state_dict())
    noisy = fitted(trained, make_spec(), x)
    assert not torch.equal(noisy(x), trained(x))
    assert torch.equal(remove(noisy)(x), trained(x))
    assert not list(noisy_layers(remove(noisy)))
    set_path(noisy, "exact")
    assert torch.equal(noisy(x), trained(x))
    assert all(torch.equal(before[k], v) for k, v in trained.state_dict().items())


@pytest.mark.parametrize("projection", [Sparse(0.25), TapShared(0.25)])
def test_fraction_1_is_exact_and_0_is_the_approximation(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], projection: Sparse
) -> None:
    x = digits[0][:50]
    everything = fitted(trained, make_spec(selection=TopK(1), projection=projection), x)
    assert torch.equal(everything(x), trained(x))
    nothing = fitted(trained, make_spec(selection=TopK(0), projection=projection), x)
    expected = nothing(x)
    set_path(nothing, "approximate")
    assert torch.equal(nothing(x), expected)


def test_output_takes_each_neuron_from_its_path(
    noisy: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    layer = dict(noisy_layers(noisy))["conv2"]
    nn.init.normal_(layer.W_tilde)
    x = torch.relu(noisy.get_submodule("conv1")(digits[0][:8]))
    z, z_tilde = layer.exact(x), layer.approximate(x)
    mask = layer.mask(z_tilde)
    assert mask.flatten(1).float().mean(1).tolist() == [0.5] * 8
    assert torch.equal(layer(x)[mask], z[mask])
    assert torch.equal(layer(x)[~mask], z_tilde[~mask])


def test_approximation_is_the_formula(noisy: nn.Module) -> None:
    """z~ = Q_w(W~) Q_p(P Q_a(x)) + b~ by hand, on a linear layer."""
    layer = dict(noisy_layers(noisy))["fc1"]
    torch.manual_seed(0)
    nn.init.normal_(layer.W_tilde)
    nn.init.normal_(layer.b_tilde)
    layer.input_scale.fill_(0.1)
    layer.projected_scale.fill_(0.2)
    x = torch.rand(5, layer.P.shape[2])
    xq = (x / 0.1).round().clamp(-7, 7) * 0.1
    p = ((xq @ layer.P[0].T) / 0.2).round().clamp(-7, 7) * 0.2
    step = layer.W_tilde[0].abs().amax(1, keepdim=True) / 7
    w = (layer.W_tilde[0] / step).round() * step
    torch.testing.assert_close(layer.approximate(x), p @ w.T + layer.b_tilde[0])


def test_mask_sees_the_approximation_alone(noisy: nn.Module) -> None:
    layer = dict(noisy_layers(noisy))["fc1"]
    nn.init.normal_(layer.W_tilde)
    x = torch.rand(5, layer.P.shape[2])
    before = layer.mask(layer.approximate(x))
    nn.init.normal_(layer.wrapped.weight)
    assert torch.equal(layer.mask(layer.approximate(x)), before)


def test_gradients_agree_with_finite_differences_away_from_jumps(make_spec: MakeSpec) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(2, 8, 3), nn.Tanh(), nn.Conv2d(8, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(54, 3)
    ).double()
    spec = make_spec(weight_bits=32, input_bits=32, projected_bits=32)
    x = torch.rand(2, 2, 7, 7, dtype=torch.float64, requires_grad=True)
    noisy = inject(model, spec, x.detach())
    fit(noisy, torch.rand(50, 2, 7, 7, dtype=torch.float64), epochs=0)
    assert torch.autograd.gradcheck(noisy, (x,), eps=1e-7, atol=1e-5)


def test_projection_depends_on_seed_and_layer_only(trained: nn.Module, make_spec: MakeSpec) -> None:
    x = torch.zeros(1, 1, 28, 28)
    first = dict(noisy_layers(inject(trained, make_spec(), x, seed=3)))
    same = dict(noisy_layers(inject(trained, make_spec(selection=NM(2, 4)), x, seed=3)))
    other = dict(noisy_layers(inject(trained, make_spec(), x, seed=4)))
    for name, layer in first.items():
        assert torch.equal(layer.P, same[name].P)
        assert not torch.equal(layer.P, other[name].P)


def test_magnitude_and_normalised_scores(trained: nn.Module, make_spec: MakeSpec) -> None:
    x = torch.zeros(1, 1, 28, 28)
    layer = dict(noisy_layers(inject(trained, make_spec(score="magnitude", normalise=True), x)))[
        "fc1"
    ]
    layer.score_mean.fill_(1.0)
    layer.score_variance.fill_(4.0)
    z = torch.tensor([[-5.0, 1.0, 7.0]]).repeat(1, 11)[:, :32]
    assert layer.score(z)[0, :3].tolist() == [3, 0, 3]


def test_random_selection_is_reseeded(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    x = digits[0][:10]
    noisy = fitted(trained, make_spec(selection=Random(0.5)), digits[0])
    assert is_randomised(noisy)
    with seeded(1, "test"):
        first, second = noisy(x), noisy(x)
    assert not torch.equal(first, second)
    with seeded(1, "test"):
        assert torch.equal(first, noisy(x))


def test_copies_and_state_round_trip(
    noisy: nn.Module, make_spec: MakeSpec, trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    x = digits[0][:20]
    fit(noisy, digits[0][:200], epochs=1)
    assert torch.equal(copy.deepcopy(noisy)(x), noisy(x))
    fresh = inject(trained, make_spec(), x, seed=99)
    fresh.load_state_dict(noisy.state_dict())
    assert torch.equal(fresh(x), noisy(x))


def test_layers_that_do_not_run_are_an_error(make_spec: MakeSpec) -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (nn.Linear(100, 100) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            return self.c(self.a(x))

    with pytest.raises(UserError, match=r"did not run.*: b; exclude"):
        inject(Idle(), make_spec(), torch.zeros(2, 100))


def test_a_network_without_wide_layers_is_an_error(make_spec: MakeSpec) -> None:
    with pytest.raises(UserError, match="no layer of Linear qualifies"):
        inject(nn.Linear(9, 2), make_spec(), torch.zeros(1, 9))


def test_an_override_of_no_layer_is_an_error(trained: nn.Module, make_spec: MakeSpec) -> None:
    with pytest.raises(UserError, match="conv9"):
        inject(
            trained, make_spec(overrides={"conv9": {"fraction": 0.5}}), torch.zeros(1, 1, 28, 28)
        )


def test_empty_batch(noisy: nn.Module) -> None:
    assert noisy(torch.zeros(0, 1, 28, 28)).shape == (0, 10)


def test_a_path_for_a_while_is_given_back_after_an_error(noisy: nn.Module) -> None:
    (_, first), *_ = noisy_layers(noisy)
    first.path, first.temperature = "approximate", 0.7

    def paths() -> list[tuple[str, float]]:
        return [(layer.path, layer.temperature) for _, layer in noisy_layers(noisy)]

    before = paths()
    with on_path(noisy, "soft", 0.2):
        assert set(paths()) == {("soft", 0.2)}
    assert paths() == before
    with pytest.raises(RuntimeError, match="conv2d"), on_path(noisy, "exact"):
        noisy(torch.zeros(1, 3))
    assert paths() == before
    with pytest.raises(UserError, match="path should be one of"), on_path(noisy, "sort"):  # type: ignore[arg-type]
        pass
