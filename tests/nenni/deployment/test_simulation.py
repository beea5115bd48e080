from typing import get_args

import pytest
import torch
from deployment_cases import images, small
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.defences.baselines.quantised import QuantisedLayer
from nenni.deployment.rounded import Rounded
from nenni.deployment.simulation import simulation
from nenni.method.injection import noisy_layers
from nenni.method.noisy_layer import LayerPath
from nenni.method.score import TEMPERATURE


def test_with_fine_steps_it_is_the_injected_network() -> None:
    """All that it adds are roundings: were they exact, nothing would change."""
    noisy, x = small(exact_bits=8, input_bits=8), images(16)
    simulated = simulation(noisy, x)
    with torch.no_grad():
        expected = noisy(x)
        rounded = simulated(x)
        assert 0 < (rounded - expected).abs().median() < 0.2 * expected.std()


def test_each_layer_rounds_its_input_to_itself() -> None:
    """The steps of its own rounding are those of the value before it."""
    simulated = simulation(small(), images(16))
    for _, layer in noisy_layers(simulated):
        assert layer.exact_scale == layer.input_scale
    scales = {float(m.scale) for m in simulated.modules() if isinstance(m, Rounded)}
    layers = [m for _, m in noisy_layers(simulated)]
    assert {float(layer.exact_scale) for layer in layers} <= scales


def test_fewer_bits_of_the_approximation_keep_their_own_step() -> None:
    noisy = small(input_bits=4)
    before = [float(layer.input_scale) for _, layer in noisy_layers(noisy)]
    simulated = simulation(noisy, images(16))
    assert [float(layer.input_scale) for _, layer in noisy_layers(simulated)] == before


def test_a_gradient_passes() -> None:
    x = images(4).requires_grad_()
    simulation(small(), images(16))(x).sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).float().mean() > 0.5


def test_dense_layers_are_those_asked_for() -> None:
    simulated = simulation(small(), images(16), dense=["3.conv1", "4.conv2"])
    assert [name for name, _ in noisy_layers(simulated)] == ["3.conv2", "4.conv1"]
    assert not any(type(m) is nn.Conv2d for m in simulated.children())


@pytest.mark.parametrize("path", get_args(LayerPath))
def test_a_path_that_was_set_is_none_of_the_deployed_networks(path: LayerPath) -> None:
    noisy, x = small(), images(16)
    nenni.set_path(noisy, path, temperature=3.0)
    deployed = nenni.deploy(noisy, x, skip="everywhere", kernel="torch")
    expected = simulation(small(), x)
    with torch.no_grad():
        assert torch.equal(deployed.simulation(x), expected(x))
    assert {layer.path for _, layer in noisy_layers(noisy)} == {path}
    layers = [layer for _, layer in noisy_layers(deployed.simulation)]
    assert {layer.temperature for layer in layers} == {TEMPERATURE}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("0", "Conv2d"), ("1", "BatchNorm2d"), ("2", "ReLU"), ("3.conv1", "NoisyConv2d")],
)
@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_that_a_deployed_network_would_not_run_are_refused(
    name: str, kind: str, register: str
) -> None:
    noisy = small()
    getattr(noisy.get_submodule(name), register)(lambda *_: None)
    with pytest.raises(UserError, match=rf"a hook runs with {name} \({kind}\)"):
        simulation(noisy, images(4))


def test_hooks_of_other_layers_run_in_a_deployed_network_too() -> None:
    noisy, x = small(), images(16)
    noisy.get_submodule("7").register_forward_hook(lambda _, __, z: 2 * z)
    deployed = nenni.deploy(noisy, x, skip="everywhere", kernel="torch")
    plain = nenni.deploy(small(), x, skip="everywhere", kernel="torch")
    assert torch.equal(deployed(x), 2 * plain(x))


class Unseen(nn.Module):
    """What torch.fx does not see."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.passes, self.inside = kind, 0, small()

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "draws":
            x = x + torch.rand(3, 9, 9)
        if self.kind == "counts":
            self.passes += 1
            x = x / self.passes
        return self.inside(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", ["draws", "counts", "hook"])
def test_a_network_of_which_the_graph_shows_a_part_is_refused(kind: str) -> None:
    network = Unseen(kind).eval()
    if kind == "hook":
        network.register_forward_hook(lambda _, __, z: 2 * z)
    with pytest.raises(UserError, match=r"torch.fx sees not all that Unseen does"):
        simulation(network, images(4))


def test_dropout_that_is_always_on_is_in_the_graph() -> None:
    network = small()
    network.add_module("8", Dropping())
    simulated, x = simulation(network, images(4)), images(4)
    with torch.no_grad():
        assert not torch.equal(simulated(x), simulated(x))


class Dropping(nn.Module):
    """Dropout in every mode."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, training=True)


class Named(nn.Module):
    """Its layer has the name of a rounding's node."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.rounded_x = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.rounded_x(self.first(x)).mean((2, 3))  # type: ignore[no-any-return]


def test_no_name_of_the_network_is_taken_by_a_rounding() -> None:
    spec = nenni.InjectionSpec(
        nenni.Block(0.5), nenni.TapShared(0.5), exact_bits=8, layers=("first",), min_inputs=1
    )
    simulated = simulation(nenni.inject(Named().eval(), spec, images(1)), images(4))
    assert isinstance(simulated.rounded_x, QuantisedLayer)


def test_convolutions_with_parametrized_weights_are_rounded_too() -> None:
    network, x = small(), images(16)
    expected = nenni.deploy(network, x, skip="everywhere", kernel="torch")
    torch.nn.utils.parametrizations.weight_norm(network.get_submodule("0"))
    deployed = nenni.deploy(network, x, skip="everywhere", kernel="torch")
    assert isinstance(deployed.simulation.get_submodule("0"), QuantisedLayer)
    assert torch.allclose(deployed(x), expected(x), atol=1e-4)
