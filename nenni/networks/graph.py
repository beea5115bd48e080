"""A network as a graph of its operations, by torch.fx."""

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node, Tracer
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata

from nenni.core.errors import UserError, in_a_line


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
