"""The steps of a deployed network: each node of its simulation, convolutions with what follows."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

from nenni.core.errors import UserError
from nenni.deployment import compiled_path, torch_path
from nenni.deployment.chains import (
    Chain,
    chain,
    is_rectifier,
    is_rounded,
    module_of,
    product,
)
from nenni.deployment.compiled import TORCH, TRITON
from nenni.deployment.convolution import Dense, Skipping, Written
from nenni.deployment.folding import dense, skipping
from nenni.deployment.packing import LANES
from nenni.deployment.plane import Plane
from nenni.deployment.rounded import Rounded
from nenni.method.noisy_layer import NoisyLayer
from nenni.networks.graph import shape_of

_LARGEST_TILE = 16_384
"""Neurons of a tile on a GPU."""


@dataclass(frozen=True)
class Codes:
    """A value as bytes."""

    bytes: Tensor
    plane: Plane


Values = dict[str, Any]
"""Name of a node -> its value."""


@dataclass(frozen=True)
class Step:
    """One step: what it makes, of what, and how.

    Attributes
    ----------
    made : str
        Name of the node whose value it gives.
    used : tuple of str
        Names of those whose values it takes.
    run : callable
        Values so far -> the value.
    layer : Dense, Skipping or None
        Of a convolution of bytes.
    name : str
        Of its layer.
    last : tuple of str
        Of those used, whose values nobody takes later.
    """

    made: str
    used: tuple[str, ...]
    run: Callable[[Values], Any]
    layer: Dense | Skipping | None = None
    name: str = ""
    last: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """A deployed network.

    Attributes
    ----------
    source : str
        Name of the images.
    steps : list of Step
        In order.
    answer : Any
        What it gives: a node, or nodes in lists, tuples and dictionaries.
    """

    source: str
    steps: list[Step]
    answer: Any


def program(graph: GraphModule, kernel: str) -> Program:
    """What a simulation does, by a kernel.

    Parameters
    ----------
    graph : GraphModule
        From :func:`nenni.deployment.simulation.simulation`.
    kernel : str
        One of :func:`nenni.deployment.compiled.kernels`.

    Raises
    ------
    UserError
        If an injected layer makes choices that no kernel has.
    """
    chains = {}
    for node in graph.graph.nodes:
        if product(graph, node) is not None and is_rounded(graph, node.args[0]):
            found = chain(graph, node)
            chains[found.end] = found
    inside = {node for found in chains.values() for node in _inner(found)}
    planes = {node: _plane(graph, node) for node in graph.graph.nodes if is_rounded(graph, node)}
    made = []
    for node in graph.graph.nodes:
        if node in chains:
            made.append(_convolution(graph, chains[node], planes, kernel))
        elif node not in inside and node.op not in ("placeholder", "output"):
            made.append(_other(graph, node, planes, kernel))
    (source,) = (node for node in graph.graph.nodes if node.op == "placeholder")
    (end,) = (node for node in graph.graph.nodes if node.op == "output")
    made = _forgetting(made, {node.name for node in end.all_input_nodes})
    return Program(source.name, made, end.args[0])


def _forgetting(made: list[Step], wanted: set[str]) -> list[Step]:
    """The steps, told after which of them nobody takes a value any more."""
    told = []
    for step in reversed(made):
        told.append(replace(step, last=tuple(set(step.used) - wanted)))
        wanted = wanted | {*step.used}
    return told[::-1]


Watch = Callable[[str, Dense | Skipping, Tensor, Tensor | None], None]
"""Is told the name of a convolution, itself, its codes and those that are added to it."""


def run(of: Program, x: Tensor, watch: Watch | None = None) -> Any:
    """What a network makes of images.

    Parameters
    ----------
    of : Program
        From :func:`program`.
    x : Tensor
        Images (N, C, H, W).
    watch : callable, optional
        Is told of each convolution before it runs.
    """
    values: Values = {of.source: x}
    for step in of.steps:
        if watch is not None and step.layer is not None:
            codes = [values[name].bytes for name in step.used]
            watch(step.name, step.layer, codes[0], codes[1] if len(codes) > 1 else None)
        values[step.made] = step.run(values)
        for name in step.last:
            del values[name]
    return map_arg(of.answer, lambda n: numbers(values[n.name]))


def numbers(value: Any) -> Any:
    """A value as numbers."""
    return value.plane.numbers(value.bytes) if isinstance(value, Codes) else value


def _inner(found: Chain) -> list[Node]:
    """The nodes of a chain before its last."""
    nodes, node = [], found.convolution
    while node is not found.end:
        nodes.append(node)
        (node,) = node.users
    return nodes


def _plane(graph: GraphModule, node: Node) -> Plane:
    """Where the codes of a rounded value lie: its readers want them padded."""
    module, size = module_of(graph, node), shape_of(node)
    assert isinstance(module, Rounded)
    assert size is not None
    around = [0]
    for user in node.users:
        layer = product(graph, user)
        if layer is not None:
            around += [int(p) for p in layer.wrapped.padding]  # type: ignore[union-attr]
    source = node.args[0]
    assert isinstance(source, Node)
    signed = not is_rectifier(graph, source)
    return Plane(size[2], size[3], size[1], max(around), float(module.scale), signed)


def _convolution(graph: GraphModule, found: Chain, planes: dict[Node, Plane], kernel: str) -> Step:
    node, source = found.convolution, found.convolution.args[0]
    assert isinstance(source, Node)
    layer, name = product(graph, node), str(node.target)
    written = _written(found, planes)
    added = found.added
    built: Dense | Skipping
    if isinstance(layer, NoisyLayer):
        built = skipping(layer, name, planes[source], found.batch_norm, written)
        if kernel == TRITON:
            _check_tile(name, *built.tile)
        elif kernel != TORCH:
            _check_lanes(name, built)
    else:
        assert layer is not None
        built = dense(layer, planes[source], found.batch_norm, written)

    compute = computing(kernel, built)

    def run(values: Values) -> Any:
        residual = None if added is None else values[added.name].bytes
        result = compute(values[source.name].bytes, residual)
        if not written.as_numbers:
            return Codes(result, written.plane)
        return result[..., : written.plane.channels].permute(0, 3, 1, 2)

    used = (source.name,) if added is None else (source.name, added.name)
    return Step(found.end.name, used, run, built, name)


def _check_tile(name: str, channels: int, positions: int) -> None:
    """Refuse a tile that one program of a GPU does not hold."""
    if channels * positions > _LARGEST_TILE:
        raise UserError(
            f"layer {name} cannot be deployed on a GPU: its tiles of {channels} channels x "
            f"{positions} positions are too large; choose {_LARGEST_TILE} neurons at most, as 64x64"
        )


def _check_lanes(name: str, layer: Skipping) -> None:
    """Refuse tiles between whose channels a vector would lie."""
    channels = layer.tile[0]
    if channels % LANES and channels < layer.exact.product.channels:
        raise UserError(
            f"layer {name} cannot be deployed by a compiled kernel: its tiles have {channels} "
            f'channels; choose nenni.Block with a multiple of {LANES}, or kernel="{TORCH}"'
        )


def computing(kernel: str, layer: Dense | Skipping) -> Callable[[Tensor, Tensor | None], Tensor]:
    """What makes of a layer's codes, and those that are added, its bytes or numbers.

    Parameters
    ----------
    kernel : str
        One of :func:`nenni.deployment.compiled.kernels`.
    layer : Dense or Skipping
        A convolution of bytes.
    """
    if kernel == TRITON:
        from nenni.deployment import triton_path  # needs Triton

        path: Any = triton_path
    else:
        path = torch_path if kernel == TORCH else compiled_path
    call = path.skipping if isinstance(layer, Skipping) else path.dense
    also = {} if kernel in (TORCH, TRITON) else {"kernel": kernel}
    return partial(call, layer, **also)


def _written(found: Chain, planes: dict[Node, Plane]) -> Written:
    residual = None if found.added is None else planes[found.added]
    if found.rounded is not None:
        plane = planes[found.rounded]
        low, high = float(plane.lowest), float(plane.limit)
        if found.ceiling is not None:
            low, high = 0.0, float(round(min(high, found.ceiling / plane.scale)))
        return Written(plane, False, low, high, residual)
    size = shape_of(found.end)
    assert size is not None
    plane = Plane(size[2], size[3], size[1], 0, 1.0, signed=False)
    low, high = (-math.inf, math.inf) if found.ceiling is None else (0.0, found.ceiling)
    return Written(plane, True, low, high, residual)


def _other(graph: GraphModule, node: Node, planes: dict[Node, Plane], kernel: str) -> Step:
    used = tuple(source.name for source in node.all_input_nodes)
    if node in planes:
        (name,), plane = used, planes[node]
        own = kernel not in (TORCH, TRITON)
        path = compiled_path.to_codes if own else torch_path.to_codes

        def rounded(values: Values) -> Codes:
            return Codes(path(numbers(values[name]), plane), plane)

        return Step(node.name, used, rounded)
    call = _call(graph, node)

    def run(values: Values) -> Any:
        args = map_arg(node.args, lambda n: numbers(values[n.name]))
        kwargs = map_arg(node.kwargs, lambda n: numbers(values[n.name]))
        return call(*args, **kwargs)

    return Step(node.name, used, run)


def _call(graph: GraphModule, node: Node) -> Callable[..., Any]:
    if node.op == "call_module":
        return graph.get_submodule(str(node.target))
    if node.op == "call_method" and node.target == "view":
        return _viewed
    if node.op == "call_method":
        return lambda x, *args, **kwargs: getattr(x, str(node.target))(*args, **kwargs)
    if node.op == "get_attr":
        return partial(_attribute, graph, str(node.target))
    assert callable(node.target)
    return node.target


def _viewed(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.view``, of values that lie in memory otherwise than those of the simulation."""
    return x.contiguous().view(*args, **kwargs)


def _attribute(graph: nn.Module, path: str) -> Any:
    value: Any = graph
    for part in path.split("."):
        value = getattr(value, part)
    return value.detach() if isinstance(value, torch.Tensor) else value
