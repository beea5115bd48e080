"""Which channels of a plain network may change places, and which layers change with them.

A convolution's channels are those of all that is added to them, of the norms that they pass, and
of the inputs of whatever reads them: a residual stream has one order. Channels that an operation
mixes which is not known here, images and logits stay as they are.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nenni.networks.channel_walk import Walk, hooked
from nenni.networks.graph import traced


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that change places together.

    Attributes
    ----------
    channels : int
        How many.
    writers : tuple of str
        Convolutions and linear layers whose outputs they are, in the order in which they run.
    passed : tuple of str
        Layers with numbers of their own for each: batch norms, depthwise convolutions.
    readers : tuple of (str, int)
        Layers whose inputs they are, and how many inputs each channel is.
    """

    channels: int
    writers: tuple[str, ...]
    passed: tuple[str, ...]
    readers: tuple[tuple[str, int], ...]


def channel_groups(model: nn.Module, example: Tensor) -> list[ChannelGroup]:
    """The groups of a plain network whose order is free, in the order of their first layers.

    Layers with hooks or parametrizations, and those whose numbers others have or read, stay.

    Parameters
    ----------
    model : Module
        Without injection, in eval mode.
    example : Tensor
        Images (N, C, H, W).

    Raises
    ------
    UserError
        If torch.fx cannot trace it.
    """
    graph = traced(model, example, "which is how channels are followed")
    if any(hooked(m) for m in model.modules() if next(m.children(), None) is not None):
        return []  # a graph does not show what they do
    walk = Walk(graph)
    for node in graph.graph.nodes:
        walk.visit(node)
    walk.settle()
    roots = dict.fromkeys(walk.root(number) for _, number in walk.writers)
    return [
        _group(walk, root) for root in roots if not walk.fixed[root] and walk.channels[root] > 1
    ]


def _group(walk: Walk, root: int) -> ChannelGroup:
    def of(pairs: list[tuple[str, int]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name, number in pairs if walk.root(number) == root))

    readers = dict.fromkeys((n, repeat) for n, at, repeat in walk.readers if walk.root(at) == root)
    return ChannelGroup(walk.channels[root], of(walk.writers), of(walk.passed), tuple(readers))


@torch.no_grad()
def reorder(model: nn.Module, group: ChannelGroup, order: Tensor) -> None:
    """Put channel order[i] in place i, in all layers that have to do with it.

    Parameters
    ----------
    model : Module
        It is changed.
    group : ChannelGroup
        Of its channels.
    order : Tensor
        A permutation (C,).
    """
    for name in group.writers + group.passed:
        layer = model.get_submodule(name)
        for tensor in [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]:
            if tensor.dim():
                tensor.copy_(tensor[order.to(tensor.device)])
    for name, repeat in group.readers:
        weight = model.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        wide = weight.unflatten(1, (-1, repeat))
        weight.copy_(wide[:, order.to(weight.device)].flatten(1, 2))
