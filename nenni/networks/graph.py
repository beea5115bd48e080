"""A network as a graph of its operations, by torch.fx."""

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node, Proxy, Tracer
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata

from nenni.core.errors import UserError, in_a_line


class _Changeable(Proxy):
    """A value that ``+=`` and the like change in place, which torch.fx takes for ``+``."""


def _in_place(operation: Callable[[Any, Any], Any]) -> Callable[[Proxy, Any], Proxy]:
    def apply(value: Proxy, other: Any) -> Proxy:
        return value.tracer.create_proxy("call_function", operation, (value, other), {})

    return apply


for _operation in (
    operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv,
    operator.imod, operator.ipow, operator.iand, operator.ior, operator.ixor,
):  # fmt: skip
    setattr(_Changeable, f"__{_operation.__name__}__", _in_place(_operation))


@torch.no_grad()
def traced(
    network: nn.Module, example: Tensor, purpose: str, leaves: tuple[type[nn.Module], ...] = ()
) -> GraphModule:
    """The graph of a network, which shares its modules; its nodes know their shapes.

    Parameters
    ----------
    network : Module
        In eval mode.
    example : Tensor
        Images (N, C, H, W).
    purpose : str
        What a graph is needed for, as in "which is how a network is deployed".
    leaves : tuple of type
        Modules that are one operation, besides torch's own.

    Raises
    ------
    UserError
        If torch.fx cannot trace it.
    """

    class WithLeaves(Tracer):
        def proxy(self, node: Node) -> Proxy:
            return _Changeable(node, self)

        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return isinstance(m, leaves) or super().is_leaf_module(m, module_qualified_name)

    try:
        graph = GraphModule(network, WithLeaves().trace(network))
    except Exception as error:
        raise UserError(
            f"torch.fx cannot trace {type(network).__name__}, {purpose}: {in_a_line(error)}"
        ) from error
    ShapeProp(graph).propagate(example.clone())
    return graph


def shape_of(node: Node) -> torch.Size | None:
    """Shape of a node's value, of the example that went through the graph; None of no tensor."""
    found = node.meta.get("tensor_meta")
    return found.shape if isinstance(found, TensorMetadata) else None
