"""The network whose answers a deployed one gives: every rounding that is deployed is in it."""

from collections import Counter
from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter, Node
from torch.fx.passes.shape_prop import ShapeProp

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.defences.baselines.quantised import Quantised, QuantisedLayer
from nenni.deployment.chains import addend, chain, is_rounded, module_of, product
from nenni.deployment.functional import make_functional
from nenni.deployment.rounded import BITS, Rounded
from nenni.method.injection import set_path
from nenni.method.noisy_layer import NoisyLayer
from nenni.networks.asking import answer, check_answer
from nenni.networks.computed import has_other_hooks
from nenni.networks.copying import copied
from nenni.networks.graph import traced

_IN_BYTES = (nn.Conv2d, NoisyLayer, QuantisedLayer, nn.BatchNorm2d, nn.ReLU, nn.ReLU6)
"""Modules that are computed in bytes where that can be."""
_SAME = 1e-3
"""Part of the largest output that rounding may change."""


@torch.no_grad()
def simulation(noisy: nn.Module, example: Tensor, dense: Collection[str] = ()) -> GraphModule:
    """Copy of an injected network with all roundings of its deployment.

    All convolutions have weights and inputs of 8 bits, and so have the values that are added to
    their outputs; the steps are those of least squared error on the example, layer by layer.
    Linear layers are not rounded unless they are injected.

    Parameters
    ----------
    noisy : Module
        From :func:`nenni.fit`; it is not changed. On whatever path it is, z' is simulated.
    example : Tensor
        Images (N, C, H, W) that set the steps.
    dense : collection of str
        Injected layers that compute all of their neurons, by their names in the simulation.

    Raises
    ------
    UserError
        If torch.fx cannot trace the network, or finds another one, it changes values in place of
        which others read a part, or a hook runs with a layer that is computed in bytes.
    """
    purpose = "which is how a network is deployed"
    network = copied(noisy).eval()
    set_path(network, "injected")
    with seeded("deployment"):
        expected = check_answer(answer(network, example), example)
    graph = traced(network, example, purpose, (NoisyLayer, QuantisedLayer))
    _check_inputs(graph, network)
    _check_hooks(graph)
    make_functional(graph, example[:2])
    _check_answers(graph, type(network).__name__, example, expected)
    _separate_calls(graph)
    _quantise(graph, dense)
    for node in list(graph.graph.nodes):
        if product(graph, node) is not None:
            _round_input(graph, node)
    for node in list(graph.graph.nodes):
        if product(graph, node) is not None:
            _round_shortcut(graph, node)
    graph.recompile()
    _Calibration(graph).run(example.clone())
    ShapeProp(graph).propagate(example.clone())
    return graph.eval()


def _check_inputs(graph: GraphModule, network: nn.Module) -> None:
    """Refuse a network that takes more than images: what it did without them is not known."""
    _, *more = (str(node.target) for node in graph.graph.nodes if node.op == "placeholder")
    if more:
        raise UserError(
            f"{type(network).__name__} takes {', '.join(more)} beside images, and a deployed "
            "network takes images alone: deploy a module whose forward has x as its one argument"
        )


def _check_hooks(graph: GraphModule) -> None:
    """Refuse hooks of modules that may become products of bytes, which run none."""
    for node in graph.graph.nodes:
        module = module_of(graph, node)
        if isinstance(module, _IN_BYTES) and has_other_hooks(module):
            raise UserError(
                f"a hook runs with {node.target} ({type(module).__name__}), and a deployed network "
                "would run it no more: remove the hook, or make it a module of its own"
            )


def _check_answers(graph: GraphModule, network: str, example: Tensor, expected: Tensor) -> None:
    """Refuse a graph that is not all that the network does."""
    with seeded("deployment"):
        found = answer(graph, example)
    rounding = _SAME * float(expected.abs().max())
    if not torch.allclose(found, expected, rtol=0, atol=rounding, equal_nan=True):
        raise UserError(
            f"torch.fx sees not all that {network} does, since the graph that it "
            "makes has other outputs: a hook of the network as a whole, numbers that are drawn "
            "outside of its layers, or what it keeps from pass to pass cannot be deployed"
        )


def _separate_calls(graph: GraphModule) -> None:
    """Give each further call of a layer a copy of it, since its inputs have a step of their own."""
    calls: Counter[nn.Module] = Counter()
    for node in graph.graph.nodes:
        module = module_of(graph, node)
        if not isinstance(module, nn.Conv2d | NoisyLayer | QuantisedLayer):
            continue
        calls[module] += 1
        if calls[module] > 1:
            node.target = f"{node.target}:{calls[module]}"
            graph.add_submodule(node.target, copied(module))


def _quantise(graph: GraphModule, dense: Collection[str]) -> None:
    """Round the weights and inputs of convolutions, and of injected layers that are to be dense."""
    for node in graph.graph.nodes:
        module = module_of(graph, node)
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            layer: nn.Conv2d | nn.Linear = module
        elif isinstance(module, NoisyLayer) and node.target in dense:
            layer = module.wrapped
        else:
            continue
        graph.set_submodule(node.target, QuantisedLayer(Quantised(8), layer).eval())


class _Calibration(Interpreter):
    """A pass in which each rounding takes its step from what it gets."""

    def run_node(self, n: Node) -> object:
        module = module_of(self.module, n)  # type: ignore[arg-type]
        if isinstance(module, Rounded | NoisyLayer | QuantisedLayer):
            (source,) = n.args
            assert isinstance(source, Node)
            x = self.env[source]
            before = module_of(self.module, source)  # type: ignore[arg-type]
            if isinstance(module, Rounded):
                module.calibrate(x)
            elif isinstance(before, Rounded):
                _take_step(module, before.scale)
            elif isinstance(module, QuantisedLayer):
                module.calibrate(x)
        return super().run_node(n)


def _take_step(layer: NoisyLayer | QuantisedLayer, scale: Tensor) -> None:
    """Give a layer the step of what is rounded before it, so that it rounds it to itself."""
    if isinstance(layer, QuantisedLayer):
        layer.input_scale.copy_(scale)
        return
    layer.exact_scale.copy_(scale)
    if layer.choices.input_bits == BITS:
        layer.input_scale.copy_(scale)


def _round_input(graph: GraphModule, node: Node) -> None:
    source = node.args[0]
    assert isinstance(source, Node)
    if not is_rounded(graph, source):
        _round(graph, source)


def _round_shortcut(graph: GraphModule, node: Node) -> None:
    """Round what is added to a convolution, where that too is the end of one."""
    end = chain(graph, node).end
    if len(end.users) != 1:
        return
    (follower,) = end.users
    other = addend(follower, end)
    if other is None or is_rounded(graph, other):
        return
    ends = (chain(graph, n).end for n in graph.graph.nodes if product(graph, n) is not None)
    if other in ends:
        _round(graph, other)


def _round(graph: GraphModule, source: Node) -> None:
    name = f"{source.name}:rounded"
    graph.add_submodule(name, Rounded())
    users = list(source.users)
    with graph.graph.inserting_after(source):
        rounded = graph.graph.call_module(name, (source,))
    rounded.meta = dict(source.meta)
    for user in users:
        user.replace_input_with(source, rounded)
