"""Layers that a pass calls more than once, each time with inputs of another size."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from deployment_cases import images
from torch import Tensor, nn

import nenni
from nenni.deployment.deploy import Deployed
from nenni.deployment.simulation import simulation
from nenni.method.injection import noisy_layers, on_path


class Twice(nn.Module):
    """The second call has inputs several times as large; the last layer runs twice too."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.c = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.again, self.middle = self.c, nn.Linear(16, 16)
        self.middle_again, self.head = self.middle, nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.c(torch.relu(self.first(x))))
        x = torch.relu(self.again(6 * x)).mean((2, 3))
        return self.head(self.middle_again(6 * torch.relu(self.middle(x))))


def injected(*layers: str) -> nn.Module:
    torch.manual_seed(0)
    block = nenni.Block(0.5, 16, 4)
    chosen: dict[str, Any] = {"exact_bits": 8, "layers": layers, "min_inputs": 1}
    spec = nenni.InjectionSpec(block, nenni.TapShared(0.5), **chosen)
    noisy = nenni.inject(Twice().eval(), spec, images(1))
    nenni.fit(noisy, images(16))
    return noisy


def unshared(noisy: nn.Module) -> nn.Module:
    """The same network with a module for each call."""
    apart = deepcopy(noisy)
    apart.again, apart.middle_again = deepcopy(apart.c), deepcopy(apart.middle)
    return apart


def deployed(noisy: nn.Module, skip: str) -> Deployed:
    return nenni.deploy(noisy, images(16), skip=skip, kernel="torch")


@pytest.mark.parametrize("layers", [("c",), ("first",), ("middle",), ()], ids=str)
@pytest.mark.parametrize("skip", ["everywhere", "nowhere"])
def test_each_call_is_deployed_as_a_layer_of_its_own(layers: tuple[str, ...], skip: str) -> None:
    noisy, x = injected(*layers), images(32)
    network, apart = deployed(noisy, skip), deployed(unshared(noisy), skip)
    with torch.no_grad(), on_path(noisy, "exact"):
        simulated, exact = network.simulation(x), noisy(x)
    assert torch.equal(network(x), apart(x))
    assert (network(x) - simulated).abs().median() < 0.01 * simulated.std()
    if skip == "nowhere":
        assert (simulated - exact).abs().max() < 0.2 * exact.std()


def test_each_call_has_the_step_of_its_own_inputs() -> None:
    simulated = simulation(injected("c"), images(16))
    layers = dict(noisy_layers(simulated))
    assert [*layers] == ["c", "c:2"]
    assert layers["c:2"].exact_scale > 1.5 * layers["c"].exact_scale


def test_choices_of_each_call_are_kept(tmp_path: Path) -> None:
    noisy, file = injected("c"), tmp_path / "choices.json"
    first, again = (nenni.deploy(noisy, images(4), choices=file, kernel="torch") for _ in range(2))
    assert [*first.times] == ["c", "c:2"]
    assert again.times == first.times
