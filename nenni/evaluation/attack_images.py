"""Attack images, and score what comes out in passes of its own: one row per example."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.ball import Ball, length
from nenni.adversary.losses import margin
from nenni.adversary.outputs import classes
from nenni.core.checkpoint import Checkpoint
from nenni.core.progress import Left
from nenni.core.radius import shown
from nenni.core.seeding import derive_seed, generator
from nenni.core.types import Count
from nenni.evaluation.preconditions import check_classifier, check_data
from nenni.evaluation.scoring import robust
from nenni.method.injection import is_randomised, seed_noise

Scores = dict[str, Tensor]
"""What a model says of a batch: ``pred``, ``correct`` (mean over the draws), ``worst``, ``margin``,
each (N,)."""
Table = dict[str, list[float]]
"""Columns of :func:`attack_images` for one batch and eps."""


def attack_images(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: AttackChoice,
    eps_grid: Sequence[float],
    *,
    seed: int,
    name: str,
    source: nn.Module | None = None,
    batch_size: Count = 250,
    draws: Count = 10,
    checkpoint: Checkpoint,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[pd.DataFrame, list[str]]:
    """Attack each image that is classified correctly, at each eps, and score all images anew.

    What an attack says of itself is not believed: its images go through the model again, those of
    a randomised model on several draws, which are the same for every attack.

    Parameters
    ----------
    model : Module
        The classifier that is judged, in eval mode.
    images, labels : Tensor
        Test images (N, C, H, W) in [0, 1] and their classes (N,).
    attack : AttackChoice
        The attack.
    eps_grid : sequence of float
        Radii in units of the [0, 1] input.
    seed, name : int, str
        Root of the random choices; each batch and eps has its own, and the draws on which a
        randomised model is judged depend on the seed alone.
    source : Module or None
        Network whose gradients the attack uses, for transfer; None is the model itself.
    batch_size : int
        Images per attack.
    draws : int
        A randomised model's images are scored on so many fresh draws; others once.
    checkpoint : Checkpoint
        Keeps the finished batches.
    progress : callable
        Receives one line per batch and eps.

    Returns
    -------
    examples : DataFrame
        Columns ``eps``, ``index`` (row of `images`), ``label``, ``clean_pred``, ``clean_correct``
        (mean over the draws), ``adv_pred``, ``adv_correct`` (mean), ``adv_worst`` (over the
        draws), ``clean_margin`` and ``adv_margin`` (the true logit less the largest other, of the
        first draw), ``linf`` and ``l2`` norm of the perturbation. Logits that are not finite count
        as wrong.
    notes : list of str
        What should be known about the numbers: the attack's warnings, logits that are not finite.

    Raises
    ------
    UserError
        If model and data do not go together (:mod:`nenni.evaluation.preconditions`), or the attack
        needs a gradient that the model does not give.
    """
    state = checkpoint.load() or {"tables": [], "notes": []}
    tables: list[Table] = state["tables"]
    notes: list[str] = state["notes"]
    batches = range(0, len(images), batch_size)
    left = Left(len(batches) * len(eps_grid), done=len(tables))
    if tables:
        progress(f"resumed after batch {left.of()}")
    check_data(images, labels, check_classifier(model, images[:1]))
    passes = draws if varies(model, images[:batch_size]) else 1
    for start in batches:
        x, y = images[start : start + batch_size], labels[start : start + batch_size]
        clean = cache(partial(score, model, x, y, passes, (seed, start)))
        for eps in eps_grid[max(0, len(tables) - start // batch_size * len(eps_grid)) :]:
            table, said = attack_batch(
                model, x, y, clean(), attack, eps, seed=seed, name=name, index=start,
                passes=passes, source=source,
            )  # fmt: skip
            tables.append(table)
            notes += [note for note in said if note not in notes]
            checkpoint.save({"tables": tables, "notes": notes})
            progress(f"batch {left.after()}: {told(table, attack, eps)}")
    by_eps = [table for i in range(len(eps_grid)) for table in tables[i :: len(eps_grid)]]
    return pd.concat([pd.DataFrame(table) for table in by_eps], ignore_index=True), notes


def attack_batch(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    clean: Scores,
    attack: AttackChoice,
    eps: float,
    *,
    seed: int,
    name: str,
    index: int,
    passes: int,
    source: nn.Module | None = None,
) -> tuple[Table, list[str]]:
    """Attack one batch at one eps; see :func:`attack_images`.

    Parameters
    ----------
    clean : dict
        From :func:`score`, of the same images.
    index : int
        Index of the first image.
    passes : int
        Draws on which the images are scored.
    """
    where = (seed, "attack", name, str(eps), index)
    adversarial, hit = x.clone(), clean["correct"] > 0
    with warnings.catch_warnings(record=True) as caught, _drawn(model, *where):
        warnings.simplefilter("always")
        adversarial[hit] = attack(
            model if source is None else source,
            x[hit],
            _runners_up(model, x[hit], y[hit]) if attack.targeted else y[hit],
            eps,
            generator(*where),
        )
    if not bool(Ball(x, eps, attack.norm).contains(adversarial).all()):
        raise RuntimeError(f"{attack.name} left its ball, or its images are not finite")
    notes = [str(warning.message) for warning in caught]
    scored = score(model, adversarial, y, passes, (seed, index))
    if bool((torch.stack([clean["pred"], scored["pred"]]) < 0).any()):
        notes.append("some outputs are not finite; those images count as wrong")
    columns = {
        "eps": torch.full((len(y),), eps, dtype=torch.float64),
        "index": torch.arange(index, index + len(y)),
        "label": y,
        "clean_pred": clean["pred"],
        "clean_correct": clean["correct"],
        "adv_pred": scored["pred"],
        "adv_correct": scored["correct"],
        "adv_worst": scored["worst"],
        "clean_margin": clean["margin"],
        "adv_margin": scored["margin"],
        "linf": length(adversarial - x, "linf"),
        "l2": length(adversarial - x, "l2"),
    }
    return {name: column.tolist() for name, column in columns.items()}, list(dict.fromkeys(notes))


def told(table: Table, attack: AttackChoice, eps: float) -> str:
    """A batch in a few words, for the progress."""
    return f"eps {shown(eps, attack.norm)}, {robust(pd.DataFrame(table)).mean():.1%} correct"


@torch.no_grad()
def varies(model: nn.Module, images: Tensor) -> bool:
    """Whether two passes on the same images differ: noise of this method, or of any other."""
    if is_randomised(model):
        return True
    outputs = []
    for i in range(2):
        with _drawn(model, "probe", i):
            outputs.append(model(images))
    return not torch.equal(outputs[0].nan_to_num(), outputs[1].nan_to_num())


@contextmanager
def _drawn(model: nn.Module, *purpose: int | str) -> Iterator[None]:
    """Fix what a randomised model draws within, from its own layers or the global state."""
    seed_noise(model, *purpose)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(*purpose, "global"))
        yield


@torch.no_grad()
def score(model: nn.Module, x: Tensor, y: Tensor, passes: int, where: tuple[int, int]) -> Scores:
    """Predictions, flags and margins over the draws of one batch, the same for every attack.

    Parameters
    ----------
    model : Module
        The classifier that is judged.
    x, y : Tensor
        Images (N, C, H, W) and their classes (N,).
    passes : int
        Number of draws.
    where : tuple
        The seed, and the index of the first image: they decide the draws.
    """
    predictions, margins = [], []
    for draw in range(passes):
        with _drawn(model, where[0], "draw", where[1], draw):
            outputs = model(x)
        usable = outputs.isfinite().flatten(1).all(1) if outputs.dim() > 1 else outputs >= 0
        predictions.append(torch.where(usable, classes(outputs), -1))
        scores = outputs.is_floating_point() and outputs.dim() > 1
        margins.append(-margin(outputs, y) if scores else torch.full(y.shape, torch.nan))
    correct = (torch.stack(predictions) == y).double()
    return {
        "pred": predictions[0],
        "correct": correct.mean(0),
        "worst": correct.amin(0),
        "margin": margins[0],
    }


@torch.no_grad()
def _runners_up(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The most likely wrong class of each image: what a targeted attack aims at."""
    return model(x).scatter(1, y[:, None], -torch.inf).argmax(1)  # type: ignore[no-any-return]
