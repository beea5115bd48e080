"""Through the graph of a network: which axes of channels have to have one order.

Rules for the operations that treat channels one by one; an order is fixed by all others.
"""

import math
import operator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.nn.utils.parametrize import is_parametrized

from nenni.networks.graph import shape_of

_EACH_MODULE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish,
    nn.Hardsigmoid, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Dropout, nn.Identity,
)  # fmt: skip
_EACH_FUNCTION = (
    F.relu, torch.relu, torch.relu_, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.mish,
    F.hardswish, F.hardsigmoid, torch.sigmoid, torch.tanh, F.softplus, F.dropout,
)  # fmt: skip
_EACH_METHOD = ("relu", "relu_", "sigmoid", "tanh", "clamp", "contiguous", "clone", "detach")
"""What treats each number by itself, and all alike."""
_POOL_MODULE = (
    nn.Dropout2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
    nn.ZeroPad2d,
)  # fmt: skip
_POOL_FUNCTION = (
    F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d,
)  # fmt: skip
"""What treats each channel of images by itself, and all alike."""
_TWO_FUNCTIONS = (
    operator.add, operator.iadd, torch.add, operator.mul, operator.imul, torch.mul,
    operator.sub, operator.isub, torch.sub, operator.truediv, operator.itruediv, torch.div,
)  # fmt: skip
_TWO_METHODS = ("add", "add_", "mul", "mul_", "sub", "div")
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True)
class Axis:
    """The second dimension of a value: channels, each `repeat` neighbours."""

    number: int
    repeat: int = 1


@dataclass
class Walk:
    """Goes through a graph and joins what has to have one order.

    Attributes
    ----------
    channels : list of int
        Of each axis.
    fixed : list of bool
        Whether an axis has to stay as it is; told by its root.
    writers, passed : list of (str, int)
        Layers, and the axis of their outputs or of what goes through them.
    readers : list of (str, int, int)
        Layers, the axis of their inputs, and how many inputs each channel is.
    """

    graph: GraphModule
    parent: list[int] = field(default_factory=list)
    channels: list[int] = field(default_factory=list)
    fixed: list[bool] = field(default_factory=list)
    axes: dict[Node, Axis] = field(default_factory=dict)
    calls: dict[nn.Module, tuple[Axis, Axis]] = field(default_factory=dict)
    writers: list[tuple[str, int]] = field(default_factory=list)
    passed: list[tuple[str, int]] = field(default_factory=list)
    readers: list[tuple[str, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.barred = _barred(self.graph)

    def visit(self, node: Node) -> None:
        """Give the value of a node its axis."""
        if _asks_for_sizes(node):
            return
        sources = [self.axes[n] for n in node.all_input_nodes if n in self.axes]
        found = None
        if node.op == "call_module":
            module = self.graph.get_submodule(str(node.target))
            found = None if module in self.barred else self._of_module(node, module, sources)
            if found is None:
                self.barred.add(module)
            elif module.state_dict():
                self._called(module, sources[0], found)
        elif node.op in ("call_function", "call_method"):
            found = self._of_operation(node, sources)
        if found is None:
            for axis in sources:
                self._fix(axis)
            shape = shape_of(node)
            if shape is None or len(shape) < 2:
                return
            found = self._new(shape[1], fixed=True)
        self.axes[node] = found

    def settle(self) -> None:
        """At the end: a module that no rule knows at one call has a fixed order at all."""
        for module in self.barred & self.calls.keys():
            for axis in self.calls[module]:
                self._fix(axis)

    def root(self, number: int) -> int:
        """The axis that stands for all that were joined with one."""
        while self.parent[number] != number:
            number = self.parent[number]
        return number

    def _of_module(self, node: Node, module: nn.Module, sources: list[Axis]) -> Axis | None:
        name, shape = str(node.target), shape_of(node)
        if len(sources) != 1 or len(node.all_input_nodes) != 1 or shape is None:
            return None
        (source,) = sources
        if isinstance(module, nn.Conv2d) and source.repeat == 1 and len(shape) == 4:
            if module.groups == 1:
                return self._product(name, source, module.out_channels)
            if module.groups == module.in_channels == module.out_channels:
                self.passed.append((name, source.number))
                return source
        elif isinstance(module, nn.Linear) and len(shape) == 2:
            return self._product(name, source, module.out_features)
        elif isinstance(module, _NORMS) and source.repeat == 1:
            self.passed.append((name, source.number))
            return source
        elif isinstance(module, _EACH_MODULE) or (
            isinstance(module, _POOL_MODULE) and len(shape) == 4
        ):
            return source
        elif isinstance(module, nn.Flatten):
            return self._flattened(node, source)
        return None

    def _of_operation(self, node: Node, sources: list[Axis]) -> Axis | None:
        shape, target = shape_of(node), node.target
        if not sources or shape is None:
            return None
        function = node.op == "call_function"
        if target in (_TWO_FUNCTIONS if function else _TWO_METHODS):
            return self._joined(node, sources)
        if sum(shape_of(n) is not None for n in node.all_input_nodes) > 1:
            return None
        if target in (_EACH_FUNCTION if function else _EACH_METHOD):
            return sources[0]
        if function and target in _POOL_FUNCTION and len(shape) == 4:
            return sources[0]
        if target in ((torch.mean,) if function else ("mean",)):
            return sources[0] if _over_positions(node) else None
        if target in ((torch.flatten,) if function else ("flatten", "view", "reshape")):
            return self._flattened(node, sources[0])
        return None

    def _product(self, name: str, source: Axis, outputs: int) -> Axis:
        self.readers.append((name, source.number, source.repeat))
        made = self._new(outputs, fixed=False)
        self.writers.append((name, made.number))
        return made

    def _joined(self, node: Node, sources: list[Axis]) -> Axis | None:
        """Channels of values of a rank that meet one by one; a single number meets all."""
        shapes = [shape for n in node.all_input_nodes if (shape := shape_of(n)) is not None]
        if len({len(shape) for shape in shapes if shape}) > 1:
            return None
        wide = [axis for axis in sources if self.channels[axis.number] * axis.repeat > 1]
        if not wide or len({axis.repeat for axis in wide}) > 1:
            return None
        for axis in wide[1:]:
            self._join(wide[0], axis)
        return wide[0]

    def _flattened(self, node: Node, source: Axis) -> Axis | None:
        (origin,) = (n for n in node.all_input_nodes if n in self.axes)
        before, after = shape_of(origin), shape_of(node)
        assert before is not None
        if after != (before[0], math.prod(before[1:])):
            return None
        return Axis(source.number, source.repeat * math.prod(before[2:]))

    def _called(self, module: nn.Module, taken: Axis, made: Axis) -> None:
        """Numbers that are used again have one order on either side."""
        first = self.calls.setdefault(module, (taken, made))
        self._join(first[0], taken)
        self._join(first[1], made)
        if first[0].repeat != taken.repeat:
            self._fix(taken)

    def _new(self, channels: int, *, fixed: bool) -> Axis:
        self.parent.append(len(self.parent))
        self.channels.append(channels)
        self.fixed.append(fixed)
        return Axis(self.parent[-1])

    def _fix(self, axis: Axis) -> None:
        self.fixed[self.root(axis.number)] = True

    def _join(self, one: Axis, other: Axis) -> None:
        first, second = sorted((self.root(one.number), self.root(other.number)))
        self.parent[second] = first
        self.fixed[first] = self.fixed[first] or self.fixed[second]


def _barred(graph: GraphModule) -> set[nn.Module]:
    """Modules whose numbers another one has too, or reads, or makes anew, and those with hooks."""
    read = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
    owners: dict[Tensor, set[nn.Module]] = {}
    found = set()
    for name, module in graph.named_modules():
        for own, tensor in chain(
            module.named_parameters(recurse=False), module.named_buffers(recurse=False)
        ):
            owners.setdefault(tensor, set()).add(module)
            if f"{name}.{own}" in read:
                found.add(module)
        if hooked(module) or is_parametrized(module):
            found.add(module)
    return found.union(*(modules for modules in owners.values() if len(modules) > 1))


def hooked(module: nn.Module) -> bool:
    """Whether something of others runs with a module."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _asks_for_sizes(node: Node) -> bool:
    if node.op == "call_method":
        return node.target in ("size", "dim")
    return node.target is getattr and node.args[1] in ("shape", "ndim")


def _over_positions(node: Node) -> bool:
    dims: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    shape = shape_of(node.all_input_nodes[0])
    assert shape is not None
    listed = dims if isinstance(dims, tuple | list) else (dims,)
    return all(isinstance(d, int) and d % len(shape) >= 2 for d in listed)
