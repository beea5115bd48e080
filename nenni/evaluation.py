"""Score a network under an attack, one row per example."""

from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.checkpoint import Checkpoint
from nenni.injection import is_randomised, seed_noise
from nenni.protocols import Attack
from nenni.seeding import generator

_TOLERANCE = 1e-6


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: Attack,
    eps_grid: list[float],
    purpose: tuple[int | str, ...],
    *,
    source: nn.Module | None = None,
    batch_size: int = 250,
    draws: int = 10,
    checkpoint: Checkpoint,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Attack each image at each eps and score the result in a pass of its own.

    Parameters
    ----------
    model : Module
        The classifier that is judged, in eval mode.
    images, labels : Tensor
        Test images (N, C, H, W) in [0, 1] and their classes (N,).
    attack : callable
        See :mod:`nenni.attacks`.
    eps_grid : list of float
        Radii in units of the [0, 1] input.
    purpose : tuple
        Root of the random choices; each batch and eps has its own.
    source : Module or None
        Network whose gradients the attack uses, for transfer; None is the model itself.
    batch_size : int
        Images per attack.
    draws : int
        A randomised model's images are scored on so many fresh draws; others once.
    checkpoint : Checkpoint
        Keeps the finished batches.
    progress : callable
        Receives one line per batch.

    Returns
    -------
    DataFrame
        Columns ``eps``, ``index`` (row of `images`), ``label``, ``clean_pred``, ``clean_correct``
        (mean over the draws), ``adv_pred``, ``adv_correct`` (mean), ``adv_worst`` (over the
        draws), ``clean_margin`` and ``adv_margin`` (the true logit less the largest other, of the
        first draw), ``linf`` and ``l2`` norm of the perturbation. Not finite logits count as wrong.
    """
    attacked = model if source is None else source
    passes = draws if is_randomised(model) else 1
    tables: list[dict[str, list[float]]] = checkpoint.load() or []
    work = [(eps, start) for eps in eps_grid for start in range(0, len(images), batch_size)]
    if tables:
        progress(f"resumed after batch {len(tables)}/{len(work)}")
    for done, (eps, start) in list(enumerate(work, 1))[len(tables) :]:
        x, y = images[start : start + batch_size], labels[start : start + batch_size]
        where = (*purpose, str(eps), start)
        seed_noise(model, *where, "attack")
        adversarial = attack(attacked, x, y, eps, generator(*where)).detach()
        difference = (adversarial - x).flatten(1)
        linf = difference.abs().amax(1)
        if not float(linf.max()) <= eps + _TOLERANCE:
            raise RuntimeError("the attack left its ball, or its images are not finite")
        clean = _score(model, x, y, passes, where)
        scored = _score(model, adversarial, y, passes, where)
        table = {
            "eps": torch.full((len(y),), eps, dtype=torch.float64),
            "index": torch.arange(start, start + len(y)),
            "label": y,
            "clean_pred": clean["pred"],
            "clean_correct": clean["correct"],
            "adv_pred": scored["pred"],
            "adv_correct": scored["correct"],
            "adv_worst": scored["worst"],
            "clean_margin": clean["margin"],
            "adv_margin": scored["margin"],
            "linf": linf,
            "l2": difference.norm(dim=1),
        }
        tables.append({name: column.tolist() for name, column in table.items()})
        checkpoint.save(tables)
        robust = float(torch.minimum(clean["correct"], scored["correct"]).mean())
        progress(f"batch {done}/{len(work)}: eps {eps * 255:g}/255, {robust:.1%} correct")
    return pd.concat([pd.DataFrame(table) for table in tables], ignore_index=True)


@torch.no_grad()
def _score(
    model: nn.Module, x: Tensor, y: Tensor, passes: int, where: tuple[int | str, ...]
) -> dict[str, Tensor]:
    predictions, margins = [], []
    for draw in range(passes):
        seed_noise(model, *where, "draw", draw)
        logits = model(x)
        usable = logits.isfinite().all(1)
        predictions.append(torch.where(usable, logits.argmax(1), -1))
        true = logits.gather(1, y[:, None])[:, 0]
        others = logits.scatter(1, y[:, None], -torch.inf).amax(1)
        margins.append(true - others)
    correct = (torch.stack(predictions) == y).double()
    return {
        "pred": predictions[0],
        "correct": correct.mean(0),
        "worst": correct.amin(0),
        "margin": margins[0],
    }
