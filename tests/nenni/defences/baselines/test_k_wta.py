"""Which activations win, ties, and what a gradient sees."""

import pytest
import torch
from baseline_cases import Digits, defended, learned
from torch import nn

import nenni
from nenni.core.errors import UserError
from nenni.defences.baselines.k_wta import KWTA, Winners
from nenni.method.baseline import baseline_layers
from nenni.method.defend import defend


def test_the_largest_of_each_sample_stay_whatever_their_sign() -> None:
    y = torch.tensor([[[[3.0, -1.0], [0.5, 2.0]]], [[[-4.0, -1.0], [-2.0, -3.0]]]])
    found = Winners(KWTA(0.5), nn.ReLU())(y)
    assert found.tolist() == [[[[3, 0], [0, 2]]], [[[0, -1], [-2, 0]]]]


@pytest.mark.parametrize("value", [1.0, 0.0, -2.0])
def test_of_equal_ones_as_many_stay_as_there_is_room_for(value: float) -> None:
    y = torch.full((3, 10), value)
    y[:, 4] = 5.0
    y.requires_grad_()
    found = Winners(KWTA(0.3), nn.ReLU())(y)
    assert (found[:, 4] == 5).all()
    found.sum().backward()
    assert y.grad is not None
    assert y.grad.sum(1).tolist() == [3, 3, 3], "exactly k, and the gradient of those alone"
    assert torch.equal(y.grad[:, 4], torch.ones(3))


def test_it_stands_in_the_place_of_each_relu(trained: nn.Module, digits: Digits) -> None:
    network = defended(trained, KWTA(0.2), digits)
    assert [name for name, _ in baseline_layers(network)] == [f"relu{i}" for i in range(1, 6)]
    kept = {layer.activation for _, layer in baseline_layers(network) if isinstance(layer, Winners)}
    assert {m for m in network.modules() if isinstance(m, nn.ReLU)} == kept, "and not one that runs"
    seen: list[float] = []
    for _, layer in baseline_layers(network):
        layer.register_forward_hook(lambda _, __, z: seen.append(float((z != 0).float().mean())))
    network(digits[0][:30])
    assert seen == [pytest.approx(0.2, abs=0.02)] * 5


def test_one_relu_that_runs_twice_is_replaced_once_and_costs_twice() -> None:
    relu = nn.ReLU()
    network = nn.Sequential(nn.Linear(8, 8), relu, nn.Linear(8, 8), relu, nn.Linear(8, 3)).eval()
    x = torch.rand(4, 8)
    defended = defend(network, KWTA(0.5), x)
    assert defended[1] is defended[3]  # type: ignore[index]
    ranked = [
        e["defence"] and e["defence"]["ranked"] for e in nenni.describe(defended, x)["layers"]
    ]
    assert ranked == [8, 8, None]


def test_a_network_without_relu_modules_is_refused() -> None:
    with pytest.raises(UserError, match="no module ReLU of Sequential ran, to be changed"):
        defend(nn.Sequential(nn.Linear(4, 3)), KWTA(), torch.rand(2, 4))


def test_the_evaluation_sees_through_it(trained: nn.Module, digits: Digits) -> None:
    """Searched without a gradient too, it is weaker than it looks under one step of one."""
    network = defended(trained, KWTA(0.2), digits)
    data = digits[0][600:640], digits[1][600:640]
    suite = {"fgsm": {"name": "fgsm"}, "square": {"name": "square", "queries": 300},
             "smoothed": {"name": "pgd", "steps": 20, "loss": "margin", "samples": 5, "sigma": 0.05}}  # fmt: skip
    found = nenni.evaluate(network, data, suite, eps=0.1)
    shares = found.summary.set_index("attack")["accuracy"]
    assert shares["all attacks"] < shares["fgsm"] - 0.1


@pytest.mark.long
def test_the_diagnosis_does_not_believe_it(trained: nn.Module, digits: Digits) -> None:
    """Its hard masks are no excuse: attacks without a gradient find what those with one miss."""
    network = defended(trained, KWTA(0.1), digits)
    learned(network, digits, 4)
    found = nenni.diagnose(network, (digits[0][600:640], digits[1][600:640]), eps=0.1)
    rows = found.rows.set_index("name")
    assert rows.loc["near the least", "verdict"] == "fail"
    assert rows.loc["gradient and rounding", "verdict"] != "fail"
    assert found.verdict.startswith("not to be believed")
