"""In-place operations of a graph: whoever reads a value later reads what was made of it."""

from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node
from torch.utils._pytree import tree_leaves

from nenni.core.errors import UserError


@torch.no_grad()
def make_functional(graph: GraphModule, example: Tensor) -> None:
    """Let later readers of a value that is changed in place read the result of the change.

    Roundings can then be put between them. Images, and values that others have read before, are
    copied before they are changed.

    Parameters
    ----------
    graph : GraphModule
        Of a network in eval mode; it is changed.
    example : Tensor
        Images (N, C, H, W), which stay as they are.

    Raises
    ------
    UserError
        If a parameter or buffer is changed, or a part of a value that others read later.
    """
    watched = _Watched(graph)
    watched.run(example.clone())
    for node in watched.changing:
        _follow(graph, watched.env, node)
    graph.recompile()


class _Watched(Interpreter):
    """A pass that keeps all values, and the nodes that change one in place and give it."""

    def __init__(self, graph: GraphModule) -> None:
        super().__init__(graph, garbage_collect_values=False)
        self.changing: list[Node] = []

    def run_node(self, n: Node) -> Any:
        before = {source: self._versions(source) for source in n.all_input_nodes}
        value = super().run_node(n)
        changed = [source for source in before if self._versions(source) != before[source]]
        if changed and not any(self.env[source] is value for source in changed):
            raise _refusal(n, f"changes {changed[0]} and gives another value")
        if changed:
            self.changing.append(n)
        return value

    def _versions(self, node: Node) -> list[int]:
        return [x._version for x in _tensors(self.env[node])]


def _tensors(value: Any) -> list[Tensor]:
    return [x for x in tree_leaves(value) if isinstance(x, Tensor)]


def _memory(value: Any) -> set[int]:
    """Where numbers lie."""
    return {x.untyped_storage().data_ptr() for x in _tensors(value) if x.numel()}


def _follow(graph: GraphModule, values: dict[Node, Any], node: Node) -> None:
    """Turn those who read later what a node changes to the node itself."""
    order = {n: i for i, n in enumerate(graph.graph.nodes)}
    memory = _memory(values[node])
    earlier = (n for n in order if order[n] < order[node])
    aliases = [n for n in earlier if _memory(values.get(n)) & memory]
    for alias in aliases:
        if alias.op == "get_attr":
            raise _refusal(node, f"changes {alias.target}, which is kept from pass to pass")
        for reader in [user for user in alias.users if order[user] > order[node]]:
            if not _alike(values[alias], values[node]):
                raise _refusal(node, f"changes a part of {alias}, which {reader} reads later")
            reader.replace_input_with(alias, node)
    read_before = {user for alias in aliases for user in alias.users} - {node, *aliases}
    if read_before or any(alias.op == "placeholder" for alias in aliases):
        _on_copy(graph, node, [n for n in node.all_input_nodes if values[n] is values[node]])


def _on_copy(graph: GraphModule, node: Node, sources: list[Node]) -> None:
    """Let a node change a copy; the sources are names of one value."""
    with graph.graph.inserting_before(node):
        copy = graph.graph.call_method("clone", (sources[0],))
    copy.meta = dict(sources[0].meta)
    for source in sources:
        node.replace_input_with(source, copy)


def _alike(one: Any, other: Tensor) -> bool:
    """Whether two values that share memory are the same numbers."""
    if not isinstance(one, Tensor) or one.dtype != other.dtype:
        return False
    at = one.data_ptr() == other.data_ptr()
    return at and one.shape == other.shape and one.stride() == other.stride()


def _refusal(node: Node, what: str) -> UserError:
    return UserError(
        f"a network with an in-place operation cannot be deployed where it {what} ({node}): write "
        "it without the change in place, inplace=False"
    )
