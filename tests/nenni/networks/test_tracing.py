import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.method.injection import inject, injectable, noisy_layers
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared import TapShared
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.models.preact_resnet18 import preact_resnet18
from nenni.networks.models.resnet_cifar import resnet_cifar
from nenni.networks.tracing import trace

X = torch.zeros(2, 3, 8, 8)
SPEC = InjectionSpec(TopK(0.5), Sparse(0.5), min_inputs=1)


def conv() -> nn.Conv2d:
    return nn.Conv2d(3, 3, 1)


class Net(nn.Module):
    """A forward pass made of a function, on two layers and two batch norms with odd names."""

    def __init__(self, run: Callable[["Net", Tensor], Tensor]) -> None:
        super().__init__()
        self.run = run
        self.norm_of_b, self.norm_of_a = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.b, self.a = conv(), conv()
        self.untracked = nn.BatchNorm2d(3, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def owners(run: Callable[[Net, Tensor], Tensor]) -> dict[str, str]:
    """Layer -> batch norm, by name."""
    model = Net(run)
    names = {module: name for name, module in model.named_modules()}
    return {layer: names[norm] for layer, norm in trace(model, X).batch_norms.items()}


def test_a_batch_norm_belongs_to_the_layer_before_it_whatever_the_names_and_definition() -> None:
    found = owners(lambda m, x: m.norm_of_a(m.b(m.norm_of_b(m.a(x)))))
    assert found == {"a": "norm_of_b", "b": "norm_of_a"}


def test_a_batch_norm_within_a_sequence() -> None:
    model = nn.Sequential(conv(), nn.Sequential(nn.Identity(), nn.BatchNorm2d(3)), conv())
    assert trace(model, X).batch_norms == {"0": model[1][1]}


@pytest.mark.parametrize(
    "between",
    [
        F.relu,
        lambda x: F.relu(x, inplace=True),
        lambda x: x.add_(1),
        lambda x: x + 0,
        lambda x: x.clone(),
        lambda x: F.max_pool2d(x, 1),
    ],
    ids=["relu", "relu in place", "add in place", "add", "clone", "pool"],
)  # fmt: skip
def test_what_lies_between_parts_them(between: Callable[[Tensor], Tensor]) -> None:
    """In place too, as in networks with conv, ReLU, batch norm, or with out += shortcut."""
    assert owners(lambda m, x: m.norm_of_a(between(m.a(x)))) == {}


def test_residuals_added_in_place_are_no_batch_norm_of_the_layer() -> None:
    """The pre-activation block of a popular repository: out += shortcut, then the next block's."""

    def run(m: Net, x: Tensor) -> Tensor:
        out = m.a(x)
        out += x
        return m.b(m.norm_of_b(out))

    assert owners(run) == {}


def test_an_in_place_activation_after_the_batch_norm_is_no_obstacle() -> None:
    assert owners(lambda m, x: F.relu(m.norm_of_a(m.a(x)), inplace=True)) == {"a": "norm_of_a"}


def test_a_functional_batch_norm_is_not_seen() -> None:
    def run(m: Net, x: Tensor) -> Tensor:
        return F.batch_norm(m.a(x), m.norm_of_a.running_mean, m.norm_of_a.running_var)

    assert owners(run) == {}


def test_a_batch_norm_without_running_statistics_does_not_count() -> None:
    assert owners(lambda m, x: m.untracked(m.a(x))) == {}


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (lambda m, x: m.norm_of_b(m.a(m.norm_of_a(m.a(x)))), {}),
        (lambda m, x: m.norm_of_a(m.a(m.norm_of_a(m.a(x)))), {"a": "norm_of_a"}),
        (lambda m, x: m.a(m.norm_of_a(m.a(x))), {}),
        (lambda m, x: m.norm_of_a(m.a(m.a(x))), {}),
    ],
    ids=["two norms", "one norm twice", "last call without", "first call without"],
)
def test_a_layer_called_twice(
    run: Callable[[Net, Tensor], Tensor], expected: dict[str, str]
) -> None:
    assert owners(run) == expected


def test_a_layer_called_twice_before_its_norms() -> None:
    def run(m: Net, x: Tensor) -> Tensor:
        first, second = m.a(x), m.a(x + 1)
        return m.norm_of_a(first) + m.norm_of_b(second)

    assert owners(run) == {}


def test_an_output_that_two_norms_share_has_no_owner() -> None:
    """As with separate statistics for clean and adversarial images."""

    def run(m: Net, x: Tensor) -> Tensor:
        z = m.a(x)
        return m.norm_of_a(z) + m.norm_of_b(z)

    assert owners(run) == {}


def test_an_output_that_also_goes_elsewhere_keeps_its_norm() -> None:
    def run(m: Net, x: Tensor) -> Tensor:
        z = m.a(x)
        return m.norm_of_a(z) + z

    assert owners(run) == {"a": "norm_of_a"}


class Tokens(nn.Module):
    """Linear layers and a batch norm over `channels`, tokens or features."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, width), nn.Linear(width, width)
        self.norm, self.last = nn.BatchNorm1d(tokens or width), nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.last(self.norm(self.b(self.a(x))))
        return z


def test_a_batch_norm_over_features_belongs_to_a_linear_layer() -> None:
    model = Tokens(0, 6)
    assert trace(model, torch.zeros(2, 4)).batch_norms == {"b": model.norm}


@pytest.mark.parametrize("width", [6, 5])
def test_a_batch_norm_over_tokens_is_not_one_of_the_layers_channels(width: int) -> None:
    """(N, L, C) has its tokens where a batch norm looks for channels, by chance as many."""
    model = Tokens(5, width).eval()
    x = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    assert trace(model, x).batch_norms == {}
    assert inject(model, SPEC, x)(x).shape == (2, 5, 2)


def test_layers_run_in_the_order_of_execution() -> None:
    def run(m: Net, x: Tensor) -> Tensor:
        z: Tensor = m.a(m.b(m.a(x)))
        return z

    model = Net(run)
    assert list(dict(model.named_children())).index("b") < list(dict(model.named_children())).index(
        "a"
    )
    assert trace(model, X).order == ["a", "b"]


def test_the_first_and_the_last_to_run_stay_exact_wherever_they_are_defined() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.middle, self.last, self.first = nn.Linear(8, 8), nn.Linear(8, 2), nn.Linear(4, 8)

        def forward(self, x: Tensor) -> Tensor:
            z: Tensor = self.last(self.middle(self.first(x)))
            return z

    assert injectable(Backwards(), (), 1, torch.zeros(2, 4)) == ["middle"]


def test_tracing_changes_nothing() -> None:
    model = resnet_cifar((3, 8, 8), 3, depth=8).train()
    model[4].eval()
    modes = [m.training for m in model.modules()]
    before = copy.deepcopy(model.state_dict())
    trace(model, X)
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_tracing_in_inference_mode() -> None:
    with torch.inference_mode():
        assert owners(lambda m, x: m.norm_of_a(m.a(x))) == {"a": "norm_of_a"}


def test_hooks_are_gone_after_an_error() -> None:
    model = nn.Sequential(conv(), nn.BatchNorm2d(3), nn.Linear(5, 5))
    with pytest.raises(UserError, match="does not accept images"):
        trace(model, X)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_residual_networks_own_the_batch_norms_they_should() -> None:
    """After each convolution; in pre-activation blocks after the first of two alone."""
    model = resnet_cifar((3, 8, 8), 3, depth=14)
    found = trace(model, X)
    names = {module: name for name, module in model.named_modules()}
    owned = {layer: names[norm] for layer, norm in found.batch_norms.items()}
    assert owned == {name: name.replace("conv", "bn") for name in found.order if "conv" in name}
    model = preact_resnet18((3, 8, 8), 3, width=4)
    found = trace(model, X)
    names = {module: name for name, module in model.named_modules()}
    owned = {layer: names[norm] for layer, norm in found.batch_norms.items()}
    blocks = [f"layer{i}.{j}" for i in range(1, 5) for j in range(2)]
    stem = {"conv1": "layer1.0.bn1"}
    assert owned == stem | {f"{b}.conv1": f"{b}.bn2" for b in blocks}


def with_statistics() -> tuple[nn.Module, Tensor]:
    """conv, conv, batch norm, conv: injected, with W~ and statistics that matter."""
    draws = torch.Generator().manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 3), nn.BatchNorm2d(6), nn.Conv2d(6, 2, 3)
    )
    bn = model[2]
    for tensor in (bn.running_mean, bn.running_var, bn.weight.data, bn.bias.data):
        tensor.copy_(0.3 + torch.rand(6, generator=draws) * torch.tensor([1, 5, 0.2, 2, 1, 3]))
    x = torch.randn(4, 3, 9, 9, generator=draws)
    noisy = inject(model, InjectionSpec(TopK(0.5), TapShared(0.5)), x[:1])
    nn.init.normal_(noisy[1].W_tilde, generator=draws)
    return noisy, x


def test_the_norm_is_that_of_the_copy() -> None:
    noisy, _ = with_statistics()
    (layer,) = (layer for _, layer in noisy_layers(noisy))
    assert layer.batch_norm == (noisy[2],)
    twin = copy.deepcopy(noisy)
    assert twin[1].batch_norm == (twin[2],)
    assert twin[2] is not noisy[2]
    assert len([n for n in noisy.state_dict() if n.endswith("running_mean")]) == 1


@settings(max_examples=10, deadline=None)
@given(st.booleans(), st.floats(-1e3, 1e3))
def test_the_score_is_the_norm_in_eval_mode_and_sees_one_sample(
    training: bool, factor: float
) -> None:
    noisy, x = with_statistics()
    layer, bn = noisy[1], noisy[2]
    inputs = noisy[0](x).detach()
    z = layer.approximate(inputs)
    expected = copy.deepcopy(bn).eval()(z)
    noisy.train(training)
    torch.testing.assert_close(layer.score(z), expected)
    mask = layer.mask(z)
    others = torch.cat([z[:1], factor * z[1:].flip(0)])
    assert torch.equal(layer.score(others)[0], layer.score(z)[0])
    assert torch.equal(layer.mask(others)[0], mask[0])
    state = copy.deepcopy(bn.state_dict())
    layer(inputs)
    assert all(torch.equal(state[k], v) for k, v in bn.state_dict().items())


def test_the_norm_changes_which_neurons_are_essential() -> None:
    noisy, x = with_statistics()
    layer = noisy[1]
    z = layer.approximate(noisy[0](x).detach())
    with_norm = layer.mask(z)
    layer.batch_norm = ()
    assert not torch.equal(layer.mask(z), with_norm)


def test_scores_without_a_norm_are_standardised_by_the_fit() -> None:
    noisy, x = with_statistics()
    layer = noisy[1]
    layer.batch_norm = ()
    layer.score_mean.copy_(torch.arange(6.0))
    layer.score_variance.copy_(torch.arange(1.0, 7.0))
    z = layer.approximate(noisy[0](x).detach())
    mean, deviation = torch.arange(6.0)[:, None, None], torch.arange(1.0, 7.0)[:, None, None].sqrt()
    torch.testing.assert_close(layer.score(z), (z - mean) / deviation)
