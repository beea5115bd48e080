"""How outputs become flags, and the rule that every accuracy under attack follows."""

from collections.abc import Iterable

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.adversary.losses import margin
from nenni.adversary.outputs import classes
from nenni.core.seeding import seeded

WORST = "all attacks"
"""Row of a suite: the least over its attacks per image."""
ALL_CHECKS = "all checks"
"""Row of the diagnostics: how many checks failed."""

Scores = dict[str, Tensor]
"""What a model says of a batch: ``pred``, ``correct`` (mean over the draws), ``margin`` (the true
logit less the largest other, mean over the draws), each (N,)."""


@torch.no_grad()
def score(model: nn.Module, x: Tensor, y: Tensor, draws: int, *where: int | str) -> Scores:
    """Predictions, flags and margins over some draws of one batch, the same for every attack.

    Outputs that are not finite are no prediction.

    Parameters
    ----------
    model : Module
        The classifier that is judged.
    x, y : Tensor
        Images (N, C, H, W) and their classes (N,).
    draws : int
        Number of passes.
    where : int or str
        Decides the draws: the seed, their purpose, the first image.
    """
    predictions, margins = [], []
    for draw in range(draws):
        with seeded(*where, draw):
            outputs = model(x.clone())
        usable = outputs.isfinite().flatten(1).all(1) if outputs.dim() > 1 else outputs >= 0
        predictions.append(torch.where(usable, classes(outputs), -1))
        scores = outputs.is_floating_point() and outputs.dim() > 1
        nothing = torch.full(y.shape, torch.nan, device=y.device)
        margins.append(-margin(outputs, y) if scores else nothing)
    return {
        "pred": predictions[0],
        "correct": (torch.stack(predictions) == y).double().mean(0),
        "margin": torch.stack(margins).double().mean(0),
    }


def robust(examples: pd.DataFrame) -> "pd.Series[float]":
    """Share of draws on which each example is robust: an image misclassified clean is not.

    Judged by the image that the attack returned, as papers report it; see :func:`least`.

    Parameters
    ----------
    examples : DataFrame
        From :func:`nenni.evaluation.attack_images.attack_images`.
    """
    return _worse(examples, ["clean", "adv"])


def robust_at_any(examples: pd.DataFrame) -> "pd.Series[float]":
    """The same, judged by the worst point that the attack tried; see :func:`robust`."""
    return _worse(examples, ["clean", "any"])


def least(tables: Iterable[pd.DataFrame]) -> "pd.Series[float]":
    """Share of draws on which each example is robust to the worst point of all attacks.

    Parameters
    ----------
    tables : iterable of DataFrame
        Examples of each attack at one eps, the same images in the same order.
    """
    tables = [table.reset_index(drop=True) for table in tables]
    found = [tables[0][["clean_chosen", "clean_correct"]]]
    found += [table[["any_chosen", "any_correct"]] for table in tables]
    wide = pd.concat([t.set_axis([f"{i}_chosen", f"{i}_correct"], axis=1)
                      for i, t in enumerate(found)], axis=1)  # fmt: skip
    return _worse(wide, [str(i) for i in range(len(found))])


def _worse(table: pd.DataFrame, candidates: list[str]) -> "pd.Series[float]":
    """The share of correct draws of the candidate that other draws found worst.

    Of a deterministic network both are the same pass. Chosen and scored on the same draws, the
    least of several noisy shares would be lower than any of them is.
    """
    chosen = table[[f"{name}_chosen" for name in candidates]].to_numpy(dtype=float)
    scored = table[[f"{name}_correct" for name in candidates]].to_numpy(dtype=float)
    which = chosen.argmin(axis=1)
    return pd.Series(scored[range(len(table)), which], index=table.index)
