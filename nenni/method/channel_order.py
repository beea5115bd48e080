"""An order of the channels by which tiles hold neurons that are essential together."""

import warnings
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.data.batches import Data, check_repeatable, image_batches
from nenni.method.injection import noisy_layers
from nenni.method.ranking import largest
from nenni.method.score import standardised, through_batch_norm
from nenni.method.selection.block import Block
from nenni.method.spec import InjectionSpec
from nenni.networks.asking import answer, answers_alike, check_answer, check_ready
from nenni.networks.channel_groups import ChannelGroup, channel_groups, reorder
from nenni.networks.copying import copied
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating
from nenni.networks.tracing import BatchNorm, trace

Matrix = NDArray[np.float64]
ScoreKind = Literal["signed", "magnitude"]
_ORDERED_BY = ("selection", "score", "normalise")
"""Choices that an order is for."""
_BATCH = 128
_GAIN = 1e-9
"""Least gain of a swap, as a share of the largest entry."""


@torch.no_grad()
def order_channels(
    model: nn.Module,
    data: Data,
    selection: Block,
    *,
    score: ScoreKind = "signed",
    normalise: bool = True,
) -> nn.Module:
    """Copy of a plain network whose channels stand beside those that are essential with them.

    A tile of neighbouring channels is essential or not as a whole, but neighbours in a trained
    network have nothing to do with each other. The copy computes the same: weights, norms and what
    reads them change places together (:mod:`nenni.networks.channel_groups`), and a group that
    would change the logits by more than rounding stays as it was. It is to be injected, fitted and
    trained as the network itself. A warning says if no channel could change places.

    With a_i how many of its positions in a tile channel i has among the ``selection.fraction``
    largest scores of an image, the groups g of ``selection.channels`` channels are such that
    sum_g |sum_{i in g} a_i|^2 cannot grow by a swap of two channels. So the counts of tiles differ
    as far as they can, and the largest hold most. The search begins with channels ordered by
    how often they are essential.

    Parameters
    ----------
    model : Module
        Without injection. It is not changed.
    data : tensors, loader or data set
        Training images, see :data:`nenni.data.batches.Data`.
    selection : Block
        With which it will be injected.
    score, normalise
        As in :class:`nenni.InjectionSpec`. Where no batch norm follows, channels are standardised
        by the first batch.

    Raises
    ------
    UserError
        If it is injected already, does not take the images, or torch.fx cannot trace it.

    References
    ----------
    This project's; a balanced clustering with the exchanges of Kernighan and Lin (Bell System
    Technical Journal 49, 1970), pair by pair.
    """
    if not isinstance(selection, Block):
        raise UserError(
            f"selection should be a nenni.Block, whose tiles it is for; got {selection}"
        )
    if dict(noisy_layers(model)):
        raise UserError("the network is injected: order its channels first, then nenni.inject it")
    check_ready(model)
    check_repeatable(data)
    ordered = copied(model)
    with evaluating(ordered):
        example = next(image_batches(data, _BATCH, ordered))
        expected = check_answer(answer(ordered, example), example)
        groups = channel_groups(ordered, example[:2])
        together = _essential_together(ordered, data, selection, groups, (score, normalise))
        moved = 0
        for group, matrix in zip(groups, together, strict=True):
            order = torch.from_numpy(clustered(matrix, selection.channels))
            reorder(ordered, group, order)
            if answers_alike(ordered, example, expected):
                moved += 1
            else:
                reorder(ordered, group, order.argsort())
    if not moved:
        warnings.warn(
            "order_channels: no channel can change places without changing what the network "
            "computes, as far as its graph tells; the copy has the order that it had",
            stacklevel=3,
        )
    return ordered


def ordered_for(model: nn.Module, data: Data, spec: InjectionSpec) -> nn.Module:
    """:func:`order_channels` by the choices of an injection.

    Raises
    ------
    UserError
        As there; or if layers differ in what an order is for.
    """
    if not isinstance(spec.selection, Block):
        raise UserError(
            f"an order of channels is for tiles, which {spec.selection} has not; select by "
            "nenni.Block, block:fraction=F on the command line"
        )
    for pattern, choices in spec.overrides.items():
        for key in _ORDERED_BY:
            if key in choices and choices[key] != getattr(spec, key):
                raise UserError(
                    f"overrides.{pattern}.{key}: cannot differ between layers where channels are "
                    "ordered for one kind of tile"
                )
    return order_channels(model, data, spec.selection, score=spec.score, normalise=spec.normalise)


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
    model: nn.Module,
    data: Data,
    selection: Block,
    groups: list[ChannelGroup],
    how: tuple[ScoreKind, bool],
) -> list[Matrix]:
    """a_i . a_j over images and tiles of positions, summed over the layers of each group."""
    sums = [np.zeros((group.channels, group.channels)) for group in groups]
    at = {name: i for i, group in enumerate(groups) for name in group.writers}
    alone = replace(selection, channels=1)
    norms = trace(model, next(image_batches(data, 1, model))).batch_norms
    statistics: dict[str, tuple[Tensor, Tensor]] = {}

    def see(name: str, z: Tensor) -> None:
        score = _score(name, z, how, norms, statistics)
        counts = alone.tile_means(largest(score, selection.fraction).to(torch.float32))
        positions = score.shape[2:].numel()
        tile = min(selection.positions, positions)
        counts[..., -1] *= (positions % tile or tile) / tile
        a = counts.transpose(0, 1).flatten(1).double().numpy(force=True)
        sums[at[name]] += a @ a.T

    handles = [
        model.get_submodule(name).register_forward_hook(lambda _, __, z, name=name: see(name, z))
        for name in at
    ]
    with hooked(handles):
        for images in image_batches(data, _BATCH, model):
            answer(model, images)
    return sums


def _score(
    name: str,
    z: Tensor,
    how: tuple[ScoreKind, bool],
    norms: dict[str, BatchNorm],
    statistics: dict[str, tuple[Tensor, Tensor]],
) -> Tensor:
    """As an injected layer ranks it (:meth:`nenni.method.noisy_layer.NoisyLayer.score`)."""
    kind, normalise = how
    if normalise and name in norms:
        z = through_batch_norm(z, norms[name])
    elif normalise:
        if name not in statistics:
            each = z.transpose(0, 1).flatten(1)
            statistics[name] = each.mean(1), each.var(1, correction=0)
        z = standardised(z, *statistics[name])
    return z.abs() if kind == "magnitude" else z
