"""Whether an image is answered otherwise among others than alone, or in another order."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nenni.adversary.outputs import changed, spread
from nenni.core.seeding import seeded
from nenni.networks.copying import copied_or_none

DRAWS = 8
"""Passes over which the answers of a randomised network are averaged here."""
_ERRORS = 6
"""Standard errors by which two such averages may differ."""


@torch.no_grad()
def in_company(
    model: nn.Module, images: Tensor, rounding: float, *, first: int | None = None, draws: int = 1
) -> dict[str, Tensor]:
    """Which images are answered otherwise in another batch, (N,) of bool each.

    Parameters
    ----------
    model : Module
        A classifier; copies of it are asked, where it can be copied.
    images : Tensor
        Images (N, C, H, W) in [0, 1].
    rounding : float
        Share of the logits' spread by which an answer may change, see
        :func:`nenni.adversary.outputs.changed`.
    first : int or None
        Only so many of them are looked at.
    draws : int
        A randomised network is averaged over so many passes, 2 or more: what these leave uncertain
        does not count.

    Returns
    -------
    dict
        ``batch``: each alone, and among the others. ``order``: the batch turned round.
    """
    few = images[:first]
    ways: dict[str, Callable[[nn.Module], Tensor]] = {
        "together": lambda network: network(images.clone())[: len(few)],
        "turned": lambda network: network(images.flip(0)).flip(0)[: len(few)],
        "alone": lambda network: torch.cat([network(image.clone()) for image in few.split(1)]),
    }
    answers = {}
    for way, ask in ways.items():
        network, passes = copied_or_none(model) or model, []
        for draw in range(draws):
            with seeded("company", way, draw):
                passes.append(ask(network))
        answers[way] = torch.stack(passes)
    return {
        "batch": _otherwise(answers["together"], answers["alone"], rounding),
        "order": _otherwise(answers["together"], answers["turned"], rounding),
    }


def _otherwise(first: Tensor, second: Tensor, rounding: float) -> Tensor:
    """Which samples' answers over some passes, (draws, N, ...), are not the same on average."""
    if len(first) == 1:
        return changed(first[0], second[0], rounding)
    allowed: Tensor | float = rounding
    if first.dim() == 2:
        label = first[0]
        first, second = ((z == label).double()[..., None] for z in (first, second))
    else:
        first, second = (z.double().nan_to_num() for z in (first, second))
        allowed = rounding * spread(first.mean(0))
    error = ((first.var(0) + second.var(0)) / len(first)).sqrt()
    return ((first.mean(0) - second.mean(0)).abs() - _ERRORS * error).amax(1) > allowed
