import operator

import pytest
import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.networks.graph import traced


class Own(nn.Module):
    """A module that is to be one operation."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if x.sum() > 0 else x


def test_a_leaf_is_one_operation_whatever_it_does() -> None:
    graph = traced(nn.Sequential(Own(), nn.ReLU()), torch.zeros(2, 3, 4, 4), "why", (Own,))
    called = [node for node in graph.graph.nodes if node.op == "call_module"]
    assert [str(node.target) for node in called] == ["0", "1"]
    assert all(node.meta["tensor_meta"].shape == (2, 3, 4, 4) for node in called)


def test_what_cannot_be_traced_is_told_with_the_purpose() -> None:
    with pytest.raises(UserError, match=r"torch.fx cannot trace Sequential, why: .+"):
        traced(nn.Sequential(Own()), torch.zeros(1, 3, 4, 4), "why")


class Added(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        half, y = x.shape[0], 2 * x
        half //= 2
        z = y
        z -= x
        return y[:half]


def test_what_is_changed_in_place_is_so_in_the_graph() -> None:
    graph, x = traced(Added(), torch.zeros(2, 3), "why"), torch.randn(4, 3)
    assert any(node.target is operator.isub for node in graph.graph.nodes)
    assert torch.equal(graph(x), x[:2])
