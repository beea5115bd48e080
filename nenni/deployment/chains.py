"""What follows a convolution directly, and is computed with it: norm, shortcut, ReLU, rounding."""

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.fx import GraphModule, Node

from nenni.defences.baselines.quantised import QuantisedLayer
from nenni.deployment.rounded import Rounded
from nenni.method.noisy_layer import NoisyLayer
from nenni.networks.graph import shape_of

_ADDITIONS = (operator.add, operator.iadd, torch.add)
_RECTIFIERS = (F.relu, torch.relu, torch.relu_)
_RELU6 = 6.0


@dataclass(frozen=True)
class Chain:
    """A convolution, and what only its output goes into.

    Attributes
    ----------
    convolution : Node
        The layer.
    batch_norm : BatchNorm2d or None
        Its norm.
    added : Node or None
        What is added to it.
    ceiling : float or None
        Upper bound of a rectifier that follows, infinity of a ReLU; None where none follows.
    rounded : Node or None
        The rounding at the end.
    end : Node
        The last node of these.
    """

    convolution: Node
    batch_norm: nn.BatchNorm2d | None
    added: Node | None
    ceiling: float | None
    rounded: Node | None
    end: Node


def product(graph: GraphModule, node: Node) -> NoisyLayer | QuantisedLayer | None:
    """The convolution of bytes that a node is, or None."""
    module = module_of(graph, node)
    return module if isinstance(module, NoisyLayer | QuantisedLayer) and fits(module) else None


def fits(layer: NoisyLayer | QuantisedLayer) -> bool:
    """Whether a layer is a convolution that the kernels have: ungrouped, padded by zeros."""
    convolution = layer.wrapped
    plain = isinstance(convolution, nn.Conv2d) and convolution.groups == 1
    return (
        plain and convolution.padding_mode == "zeros" and not isinstance(convolution.padding, str)
    )


def module_of(graph: GraphModule, node: Any) -> nn.Module | None:
    """The module that a node calls, or None."""
    if not isinstance(node, Node) or node.op != "call_module":
        return None
    return graph.get_submodule(str(node.target))


def chain(graph: GraphModule, node: Node) -> Chain:
    """The chain that starts at a convolution.

    A value is added where it is rounded, of the same shape, and not itself the convolution's.
    """
    found = Chain(node, None, None, None, None, node)
    for follower in _followers(node):
        module = module_of(graph, follower)
        ceiling = _ceiling(graph, follower)
        other = addend(follower, found.end)
        if isinstance(module, Rounded):
            return replace(found, rounded=follower, end=follower)
        if isinstance(module, nn.BatchNorm2d) and _keeps_statistics(module) and found.end is node:
            found = replace(found, batch_norm=module, end=follower)
        elif ceiling is not None and found.ceiling is None:
            found = replace(found, ceiling=ceiling, end=follower)
        elif other is not None and _may_add(graph, found, other):
            found = replace(found, added=other, end=follower)
        else:
            break
    return found


def _may_add(graph: GraphModule, found: Chain, other: Node) -> bool:
    return found.added is None and found.ceiling is None and is_rounded(graph, other)


def is_rounded(graph: GraphModule, node: Node) -> bool:
    """Whether a node is a rounding."""
    return isinstance(module_of(graph, node), Rounded)


def is_rectifier(graph: GraphModule, node: Node) -> bool:
    """Whether a node has no value below 0."""
    return _ceiling(graph, node) is not None


def addend(node: Node, one: Node) -> Node | None:
    """What a node adds to `one`, where it is the sum of two values of a shape."""
    by_function = node.op == "call_function" and node.target in _ADDITIONS
    by_method = node.op == "call_method" and node.target in ("add", "add_")
    if not (by_function or by_method) or len(node.args) != 2 or node.kwargs:
        return None
    first, second = node.args
    other = second if first is one else first
    if not isinstance(other, Node) or other is one or shape_of(other) != shape_of(one):
        return None
    return other


def _keeps_statistics(norm: nn.BatchNorm2d) -> bool:
    """Whether a norm in eval mode is by statistics that it keeps, not by those of the batch."""
    return norm.running_mean is not None


def _followers(node: Node) -> Iterator[Node]:
    while len(node.users) == 1:
        (node,) = node.users
        yield node


def _ceiling(graph: GraphModule, node: Node) -> float | None:
    module = module_of(graph, node)
    if isinstance(module, nn.ReLU6):
        return _RELU6
    if isinstance(module, nn.ReLU) or (node.op == "call_function" and node.target in _RECTIFIERS):
        return math.inf
    return None
