import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from deployment_cases import images
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.deployment.functional import make_functional
from nenni.deployment.simulation import simulation
from nenni.networks.graph import traced

CHANGES: dict[str, Callable[[Any], Any]] = {
    "ReLU": nn.ReLU(inplace=True),
    "LeakyReLU": nn.LeakyReLU(inplace=True),
    "F.relu": lambda x: F.relu(x, inplace=True),
    "F.relu6": lambda x: F.relu6(x, inplace=True),
    "torch.relu_": torch.relu_,
    "relu_": lambda x: x.relu_(),
    "add_": lambda x: x.add_(1),
    "with itself": lambda x: x.add_(x),
    "clamp_": lambda x: x.clamp_(-0.1, 0.1),
    "fill_": lambda x: x.fill_(0.5),
    "+=": lambda x: operator.iadd(x, 1),
    "-=": lambda x: operator.isub(x, 1),
    "*=": lambda x: operator.imul(x, x),
    "/=": lambda x: operator.itruediv(x, 3),
    "out": lambda x: torch.exp(x, out=x),
    "twice": lambda x: x.relu_().mul_(2).sub_(1),
    "twice by one name": lambda x: (x.relu_(), x.mul_(2), x)[-1],
    "the other name": lambda x: (x.contiguous().mul_(-1), x)[-1],
    "its shape": lambda x: (x.transpose_(2, 3), x.mul_(2), x)[-1],
    "without its gradient": lambda x: (x.data.mul_(2), x)[-1],
}


class Changing(nn.Module):
    """A shortcut, what it becomes in place, and who reads it before and after."""

    def __init__(self, change: Callable[[Any], Any], order: str) -> None:
        super().__init__()
        self.first, self.c = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.head, self.change, self.order = nn.Linear(16, 4), change, order

    def forward(self, x: Tensor) -> Tensor:
        if self.order == "images":
            self.change(x)
        y = self.first(x)
        if self.order == "before":
            y = self.c(y) + self.change(y)
        elif self.order == "after":
            y = self.c(self.change(y)) + y
        elif self.order == "shortcut":
            z = torch.relu(y)
            z += self.c(z)
            y = self.change(z) + z
        else:
            y = self.c(y)
        return self.head(y.mean((2, 3)))


def changing(change: str, order: str) -> nn.Module:
    torch.manual_seed(0)
    return Changing(CHANGES[change], order).eval()


ORDERS = ["after", "before", "images", "shortcut"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("order", ORDERS)
def test_the_graph_computes_what_the_network_does(change: str, order: str) -> None:
    network, x = changing(change, order), images(3)
    graph = traced(network, x, "why")
    make_functional(graph, x)
    with torch.no_grad():
        assert torch.equal(graph(x), network(x.clone()))
    assert torch.equal(x, images(3)), "images stay as they are"


@pytest.mark.parametrize(
    "change", ["ReLU", "F.relu", "relu_", "add_", "+=", "out", "the other name"]
)
@pytest.mark.parametrize("order", ORDERS)
def test_a_deployed_network_sees_changes_in_place(change: str, order: str) -> None:
    network, x = changing(change, order), images(8)
    block = nenni.Block(0.5, 16, 4)
    spec = nenni.InjectionSpec(
        block, nenni.TapShared(0.5), exact_bits=8, input_bits=8, projected_bits=8, layers=("c",)
    )
    noisy = nenni.inject(network, spec, x)
    nenni.fit(noisy, x)
    deployed = nenni.deploy(noisy, x, skip="everywhere", kernel="torch")
    with torch.no_grad():
        simulated, injected = deployed.simulation(x.clone()), noisy(x.clone())
    assert (deployed(x) - simulated).abs().median() < 0.01 * simulated.std()
    assert (simulated - injected).abs().median() < 0.3 * injected.std()
    assert torch.equal(x, images(8))


def test_a_gradient_passes_through_a_shortcut_that_is_added_to() -> None:
    x = images(4).requires_grad_()
    network = nenni.inject(
        changing("+=", "shortcut"),
        nenni.InjectionSpec(nenni.Block(0.5), nenni.TapShared(0.5), exact_bits=8, layers=("c",)),
        images(1),
    )
    simulation(network, images(4))(x).sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).float().mean() > 0.5


def test_a_change_that_nobody_else_reads_needs_no_copy() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.ReLU(True))
    graph = traced(network.eval(), images(2), "why")
    make_functional(graph, images(2))
    assert not [node for node in graph.graph.nodes if node.op == "call_method"]


class Refused(nn.Module):
    """What changes in place, beside a layer that reads its input."""

    def __init__(self, change: Callable[[nn.Module, Any], Any]) -> None:
        super().__init__()
        self.c, self.change = nn.Conv2d(3, 4, 3), change
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        x = x + 1
        self.change(self, x)
        return self.c(x)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _, x: x[:, :1].relu_(), r"changes a part of add, which c reads later \(relu_\)"),
        (lambda _, x: x.chunk(3, 1)[1].mul_(2), "changes a part of add, which c reads later"),
        (lambda own, x: own.seen.add_(x.mean()), "changes seen, which is kept from pass to pass"),
        (lambda _, x: torch._foreach_add_([x], 1), "changes add and gives another value"),
    ],
)
def test_other_changes_are_refused(change: Callable[[nn.Module, Any], Any], told: str) -> None:
    graph = traced(Refused(change).eval(), images(2), "why")
    with pytest.raises(UserError, match=told):
        make_functional(graph, images(2))
