"""An order of the channels by which tiles hold neurons that are essential together."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.data.batches import Data, check_repeatable, image_batches
from nenni.method.injection import noisy_layers
from nenni.method.ranking import largest
from nenni.method.score import through_batch_norm
from nenni.method.selection.block import Block
from nenni.networks.asking import answer
from nenni.networks.channel_groups import ChannelGroup, channel_groups, reorder
from nenni.networks.copying import copied
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating
from nenni.networks.tracing import trace

Matrix = NDArray[np.float64]
_BATCH = 128
_SAME = 1e-3
"""Largest change of a logit, in units of the logits' deviation, that is rounding alone."""
_GAIN = 1e-9
"""Least gain of a swap, as a share of the largest entry."""


@torch.no_grad()
def order_channels(model: nn.Module, data: Data, selection: Block) -> nn.Module:
    """Copy of a plain network whose channels stand beside those that are essential with them.

    A tile of neighbouring channels is essential or not as a whole, but neighbours in a trained
    network have nothing to do with each other. The copy computes the same: weights, norms and what
    reads them change places together (:mod:`nenni.networks.channel_groups`), and a group that
    would change the logits by more than rounding stays as it was. It is to be injected, fitted and
    trained as the network itself.

    With a_i how many of its positions in a tile channel i has among the ``selection.fraction``
    largest scores of an image (z through the batch norm that follows), the groups g of
    ``selection.channels`` channels are such that sum_g |sum_{i in g} a_i|^2 cannot grow by a swap
    of two channels. So the counts of tiles differ as far as they can, and the largest hold most.
    The search begins with channels ordered by how often they are essential.

    Parameters
    ----------
    model : Module
        Without injection. It is not changed.
    data : tensors, loader or data set
        Training images, see :data:`nenni.data.batches.Data`.
    selection : Block
        With which it will be injected.

    Raises
    ------
    UserError
        If it is injected already, or torch.fx cannot trace it.

    References
    ----------
    This project's; a balanced clustering with the exchanges of Kernighan and Lin (Bell System
    Technical Journal 49, 1970), pair by pair.
    """
    if dict(noisy_layers(model)):
        raise UserError("the network is injected: order its channels first, then nenni.inject it")
    ordered = copied(model).eval()
    check_repeatable(data)
    example = next(image_batches(data, _BATCH, ordered))
    groups = channel_groups(ordered, example[:2])
    together = _essential_together(ordered, data, selection, groups)
    expected = answer(ordered, example)
    rounding = _SAME * expected.std().clamp_min(torch.finfo(expected.dtype).tiny)
    for group, matrix in zip(groups, together, strict=True):
        order = torch.from_numpy(clustered(matrix, selection.channels))
        reorder(ordered, group, order)
        if not bool((answer(ordered, example) - expected).abs().max() <= rounding):
            reorder(ordered, group, order.argsort())
    return ordered


def clustered(together: Matrix, size: int) -> NDArray[np.int64]:
    """An order of channels, neighbours of a tile one after the other.

    Parameters
    ----------
    together : array
        (C, C), products a_i . a_j.
    size : int
        Channels of a tile; the last tile may have fewer.
    """
    channels = len(together)
    often = np.argsort(-np.diag(together), kind="stable")
    tile = np.empty(channels, dtype=np.int64)
    tile[often] = np.arange(channels) // size
    sums = together @ np.eye(tile.max() + 1)[tile]
    each, least = np.arange(channels), _GAIN * np.abs(together).max()
    while True:
        moved = sums[:, tile] - sums[each, tile][:, None]
        gain = moved + moved.T - 2 * together + np.add.outer(*[np.diag(together)] * 2)
        gain[tile[:, None] == tile[None, :]] = 0
        i, j = divmod(int(gain.argmax()), channels)
        if gain[i, j] <= least:
            return np.argsort(tile, kind="stable")
        change = together[:, j] - together[:, i]
        sums[:, tile[i]] += change
        sums[:, tile[j]] -= change
        tile[i], tile[j] = tile[j], tile[i]


def _essential_together(
    model: nn.Module, data: Data, selection: Block, groups: list[ChannelGroup]
) -> list[Matrix]:
    """a_i . a_j over images and tiles of positions, summed over the layers of each group."""
    norms = trace(model, next(image_batches(data, 1, model))).batch_norms
    sums = [np.zeros((group.channels, group.channels)) for group in groups]
    alone = replace(selection, channels=1)

    def added(name: str, at: int) -> None:
        def hook(_layer: nn.Module, _inputs: tuple[Tensor, ...], z: Tensor) -> None:
            score = through_batch_norm(z, norms[name]) if name in norms else z
            counts = alone.tile_means(largest(score, selection.fraction).to(z.dtype))
            a = counts.transpose(0, 1).flatten(1).double().numpy(force=True)
            sums[at] += a @ a.T

        handles.append(model.get_submodule(name).register_forward_hook(hook))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for at, group in enumerate(groups):
        for name in group.writers:
            added(name, at)
    with hooked(handles), evaluating(model):
        for images in image_batches(data, _BATCH, model):
            answer(model, images)
    return sums
