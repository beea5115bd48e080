import math

import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule

import nenni
from nenni.defences.baselines.quantised import QuantisedLayer
from nenni.deployment.chains import Chain, chain, product
from nenni.deployment.simulation import simulation


class Several(nn.Module):
    """Convolutions that are followed by different things."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d, self.e = (nn.Conv2d(16, 16, 3, padding=1) for _ in range(5))
        self.grouped = nn.Conv2d(16, 16, 3, groups=2)
        self.reflected = nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect")
        self.norm, self.six = nn.BatchNorm2d(16), nn.ReLU6()
        self.first, self.head = nn.Conv2d(3, 16, 1), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        a = torch.relu(self.norm(self.a(x)))
        b = self.six(self.b(a) + a)
        c = self.c(b)
        d = self.d(self.reflected(c * c + c))
        e = self.e(d).add(d)
        return self.head(self.grouped(e).mean((2, 3)))


@pytest.fixture(scope="module")
def graph() -> GraphModule:
    spec = nenni.InjectionSpec(nenni.Block(0.5), nenni.TapShared(0.5), exact_bits=8, layers=("a",))
    x = torch.rand(4, 3, 6, 6)
    return simulation(nenni.inject(Several().eval(), spec, x), x)


def found(graph: GraphModule, name: str) -> Chain:
    return chain(graph, next(n for n in graph.graph.nodes if n.target == name))


def test_what_is_computed_with_each_convolution(graph: GraphModule) -> None:
    a, b, c, d, e = (found(graph, name) for name in "abcde")
    assert a.batch_norm is graph.norm
    assert (a.ceiling, a.added, a.rounded is a.end) == (math.inf, None, True)
    assert (b.ceiling, b.batch_norm, b.added) == (6.0, None, a.rounded)
    assert c.end is c.convolution, "its output goes to several"
    assert d.rounded is d.end
    assert e.added is d.rounded
    assert (e.rounded, e.ceiling) == (None, None)


def test_grouped_and_reflecting_convolutions_are_no_products_of_bytes(graph: GraphModule) -> None:
    products = {n.target: product(graph, n) for n in graph.graph.nodes if n.op == "call_module"}
    assert [name for name, layer in products.items() if layer is not None] == [
        "first", "a", "b", "c", "d", "e",
    ]  # fmt: skip
    assert isinstance(graph.reflected, QuantisedLayer)
    assert type(graph.grouped) is nn.Conv2d
