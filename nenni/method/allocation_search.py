"""Fractions per layer, from what the injected network itself loses around where it works.

Errors of single layers do not add up: noise that hardly matters in an exact network matters in one
whose other layers are noisy too. So each layer's fraction is varied with all others in place.
"""

from collections.abc import Callable, Collection, Mapping

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.method.allocation import allocate
from nenni.method.injection import noisy_layers, set_fractions
from nenni.networks.asking import answer
from nenni.networks.modes import evaluating

REACHES = (0.25, 0.125)
"""How far fractions may move in each round."""


def spend(
    noisy: nn.Module,
    images: Tensor,
    labels: Tensor,
    macs: Mapping[str, float],
    budget: float,
    *,
    batch_size: int = 250,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Give each layer the fraction with which the budget does most, in place.

    From one fraction for all, each round measures the loss with every layer's fraction varied by
    itself and takes the cheapest combination; a round that does not lower the loss is undone and
    ends the search.

    Parameters
    ----------
    noisy : Module
        Injected and fitted, with selections that have a fraction.
    images, labels : Tensor
        What the loss is measured on: neither test nor validation images.
    macs : mapping
        Layer -> cost of computing all its neurons.
    budget : float
        Share of the total cost that may be spent, in [0, 1].
    batch_size : int
        Images per forward pass.
    progress : callable
        Receives one line per round.

    Returns
    -------
    DataFrame
        One row per layer: ``layer`` and ``fraction``.

    Raises
    ------
    UserError
        If a layer's selection is calibrated.
    """
    fractions = dict.fromkeys(macs, budget)
    _check_selections(noisy, fractions)
    set_fractions(noisy, fractions)
    loss = mean_loss(noisy, images, labels, batch_size)
    progress(f"loss {loss:.4f} with {budget:g} in every layer")
    for reach in REACHES:
        rises = measured_rises(noisy, images, labels, fractions, reach, batch_size)
        table = allocate(rises, macs, budget)
        moved = dict(zip(table["layer"], table["fraction"], strict=True))
        set_fractions(noisy, moved)
        lower = mean_loss(noisy, images, labels, batch_size)
        progress(f"loss {lower:.4f} with fractions moved by up to {reach:g}")
        if lower >= loss:
            set_fractions(noisy, fractions)
            break
        fractions, loss = moved, lower
    return pd.DataFrame({"layer": list(fractions), "fraction": list(fractions.values())})


def measured_rises(
    noisy: nn.Module,
    images: Tensor,
    labels: Tensor,
    fractions: Mapping[str, float],
    reach: float,
    batch_size: int = 250,
) -> pd.DataFrame:
    """Rise in loss when one layer's fraction changes and all others stay.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``fraction`` and ``rise``: at the present fraction, and half and all of
        the reach away on both sides, within [0, 1]. The fractions are those given afterwards.

    Raises
    ------
    UserError
        If a layer's selection is calibrated.
    """
    _check_selections(noisy, fractions)
    set_fractions(noisy, fractions)
    loss = mean_loss(noisy, images, labels, batch_size)
    rows = []
    for name, present in fractions.items():
        near = {min(1.0, max(0.0, present + step * reach)) for step in (-1, -0.5, 0.5, 1)}
        rows.append({"layer": name, "fraction": present, "rise": 0.0})
        for fraction in sorted(near - {present}):
            set_fractions(noisy, {name: fraction})
            rise = mean_loss(noisy, images, labels, batch_size) - loss
            rows.append({"layer": name, "fraction": fraction, "rise": rise})
        set_fractions(noisy, {name: present})
    return pd.DataFrame(rows)


def _check_selections(noisy: nn.Module, names: Collection[str]) -> None:
    for name, layer in noisy_layers(noisy):
        if name in names and layer.choices.selection.calibrated:
            raise UserError(
                f"the selection of {name} has a threshold that the fit sets, so that no fraction "
                "that is tried would change a mask: choose another, such as TopK"
            )


@torch.no_grad()
def mean_loss(model: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 250) -> float:
    """Mean cross entropy in eval mode, on the same draws of a randomised network each time."""
    with evaluating(model), seeded("mean loss"):
        losses = [
            F.cross_entropy(answer(model, x), y, reduction="sum")
            for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True)
        ]
    return float(torch.stack(losses).sum()) / len(labels)
