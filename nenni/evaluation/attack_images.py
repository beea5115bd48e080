"""Attack images, and score what comes out in passes of its own: one row per example."""

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.ball import Ball, length, over_samples
from nenni.adversary.judge import Judge, Watched
from nenni.adversary.losses import margin
from nenni.core.checkpoint import Checkpoint
from nenni.core.progress import Left
from nenni.core.radius import shown
from nenni.core.seeding import generator, seeded
from nenni.core.types import Count
from nenni.data.checks import check_data
from nenni.evaluation.scoring import Scores, robust, score
from nenni.evaluation.subject import UNSTEADY, Subject, Unsteady, at_random, examine
from nenni.networks.compiled import compiled
from nenni.networks.replayed import replayed

Table = dict[str, list[float]]
"""Columns of :func:`attack_images` for one batch and eps."""
FLAGS = ["adv_correct", "adv_chosen", "any_correct", "any_chosen"]
"""Of those, what says whether an image was broken."""
TRIES = 100
"""Fresh passes on which an image is scored, of a randomised network."""
_ROUNDING, _FEW = 0.05, 0.05
"""Share of the clean margins by which one may change by rounding, and of the images that may change
by more."""
_AGAIN = 5
"""Passes that tell chance from rounding."""
_UNCONFIRMED = (
    "{} of {} images were misclassified while they were attacked and not when asked again; they "
    "count as robust"
)


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
    tries: Count = 100,
    checkpoint: Checkpoint,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[pd.DataFrame, list[str]]:
    """Attack each image that is classified correctly, at each eps, and score all images anew.

    What an attack says of itself is not believed: its images go through the model again, and so
    does the worst point that it tried of each (:mod:`nenni.adversary.judge`). Those of a randomised
    model are chosen on some draws and scored on others, the same for every attack.

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
        Root of the random choices of each image and eps; the draws on which a randomised model is
        judged depend on the seed alone.
    source : Module or None
        Network whose gradients the attack uses, for transfer; None is the model itself.
    batch_size : int
        Images per attack.
    draws : int
        Passes on which the worst points of a randomised model are chosen.
    tries : int
        Fresh passes on which they are scored.
    checkpoint : Checkpoint
        Keeps the finished batches.
    progress : callable
        Receives one line per batch and eps.

    Returns
    -------
    examples : DataFrame
        One row per eps and image, with the columns of :func:`attack_batch`.
    notes : list of str
        What should be known about the numbers: of the network, the attack's warnings, outputs that
        are not finite.

    Raises
    ------
    UserError
        If model and data do not go together (:mod:`nenni.evaluation.preconditions`), or the attack
        needs a gradient that the model does not give.
    """
    kept = checkpoint.load(progress) or {"tables": [], "notes": [], "unsteady": False}
    subject = examine(model, images[:batch_size], eps=max(eps_grid), norm=attack.norm)
    if kept["unsteady"]:
        subject = at_random(subject, model)
    check_data(images, labels, subject.classes)
    batches = range(0, len(images), batch_size)

    def attacked(subject: Subject, state: dict[str, Any]) -> tuple[pd.DataFrame, list[str]]:
        tables: list[Table] = state["tables"]
        notes: list[str] = state["notes"]
        left = Left(len(batches) * len(eps_grid), done=len(tables))
        if tables:
            progress(f"resumed after batch {left.of()}")
        notes += [note for note in subject.notes if note not in notes]
        for start in batches:
            x, y = images[start : start + batch_size], labels[start : start + batch_size]
            clean = cache(partial(score_clean, subject, x, y, draws, seed, start, tries))
            for eps in eps_grid[max(0, len(tables) - start // batch_size * len(eps_grid)) :]:
                found = attack_batch(
                    subject, x, y, clean(), attack, eps, seed=seed, name=name, index=start,
                    draws=draws, tries=tries, source=source,
                )  # fmt: skip
                tables.append(found.table)
                notes += [note for note in found.notes if note not in notes]
                checkpoint.save(state)
                progress(f"batch {left.after()}: {told(pd.DataFrame(found.table), attack, eps)}")
        by_eps = [table for i in range(len(eps_grid)) for table in tables[i :: len(eps_grid)]]
        return pd.concat([pd.DataFrame(table) for table in by_eps], ignore_index=True), notes

    try:
        return attacked(subject, kept)
    except Unsteady:
        progress(UNSTEADY)
        anew = {"tables": [], "notes": [], "unsteady": True}
        return attacked(at_random(subject, model), anew)


@dataclass(frozen=True)
class Attacked:
    """One attack on one batch.

    Attributes
    ----------
    table : dict
        The columns of :func:`attack_batch`.
    notes : list of str
        What should be known about them.
    images : Tensor
        Of each image the worst point that was tried (N, C, H, W).
    judge : Judge
        What was seen on the way, of the images that were attacked.
    """

    table: Table
    notes: list[str]
    images: Tensor
    judge: Judge


def score_clean(
    subject: Subject,
    x: Tensor,
    y: Tensor,
    draws: int,
    seed: int,
    index: int,
    tries: int = TRIES,
) -> Scores:
    """What the network says of a batch before any attack, with ``chosen`` on draws of its own.

    Parameters
    ----------
    subject, x, y, draws, seed, index, tries
        See :func:`attack_batch`.
    """
    if not subject.randomised:
        found = score(subject.model, x, y, 1, seed, "score", index)
        return found | {"chosen": found["correct"]}
    chosen = score(subject.model, x, y, draws, seed, "choose", index)["correct"]
    return score(subject.model, x, y, tries, seed, "score", index) | {"chosen": chosen}


def attack_batch(
    subject: Subject,
    x: Tensor,
    y: Tensor,
    clean: Scores,
    attack: AttackChoice,
    eps: float,
    *,
    seed: int,
    name: str,
    index: int,
    draws: int,
    tries: int = TRIES,
    source: nn.Module | None = None,
    going: Tensor | None = None,
) -> Attacked:
    """Attack one batch at one eps.

    Parameters
    ----------
    subject : Subject
        The network.
    x, y : Tensor
        Images (N, C, H, W) and their classes (N,).
    clean : dict
        From :func:`score_clean`, of the same images.
    attack, eps, seed, name, draws, tries, source
        See :func:`attack_images`.
    index : int
        Index of the first image.
    going : Tensor or None
        The least over all attacks is wanted alone: only these images are attacked, (N,) of bool,
        and each leaves as soon as it is broken. None attacks all that are classified correctly.

    Returns
    -------
    Attacked
        With the columns ``eps``, ``index``, ``label``, ``clean_pred``, ``clean_correct``,
        ``clean_margin``, then ``adv_pred``, ``adv_correct``, ``adv_margin``, ``linf`` and ``l2`` of
        the image that the attack returned, ``any_correct`` of the worst point that it tried, and
        ``forwards`` and ``backwards``, the passes that were spent on the image. The margin is the
        true logit less the largest other; a share of draws is 0 or 1 unless the network is
        randomised, where ``clean_chosen``, ``adv_chosen`` and ``any_chosen`` are shares of other
        draws, by which the worse of two is chosen, and ``draws`` says on how many the others were
        scored. Outputs that are not finite count as wrong.

    Raises
    ------
    Unsteady
        If the subject is no deterministic network, as which it was taken.
    """
    hit = clean["chosen"] > 0 if going is None else going
    returned, worst = x.clone(), x.clone()
    network = subject.attacked if source is None else source
    asked = attack.through(network)
    own = asked is subject.attacked
    judge = Judge(
        None if own else subject.model, x[hit], y[hit], eps, attack.norm,
        randomised=subject.randomised, leave=going is not None,
    )  # fmt: skip
    where = (seed, "attack", name, str(eps))
    passes = tries if subject.randomised else 1
    with warnings.catch_warnings(record=True) as caught, seeded(*where, index):
        warnings.simplefilter("always")
        labels = y[hit]
        if attack.targeted and len(labels):
            labels = _runners_up(subject.model, x[hit], labels)
        watched = Watched(asked, judge, torch.arange(len(labels), device=y.device))
        if len(labels):
            compiling = compiled(asked, y.device, wanted=attack.compile)
            whole = going is None  # of images that leave, each number is another kind of pass
            with compiling, replayed(asked, y.device) if whole else nullcontext():
                returned[hit] = attack(watched, x[hit], labels, eps, generator(*where))
    if not bool(Ball(x, eps, attack.norm).contains(returned).all()):
        raise RuntimeError(f"{attack.name} left its ball, or its images are not finite")
    notes = [str(warning.message) for warning in caught]
    worst[hit] = judge.images
    adv, any_, worst = _judged(subject, y, returned, worst, draws, passes, seed, index)
    lost = judge.broken & (any_["correct"][hit] > 0)
    if bool(lost.any()):
        _check_steady(subject, judge, lost, clean["margin"])
        notes.append(_UNCONFIRMED.format(int(lost.sum()), len(y)))
    if bool((torch.stack([clean["pred"], adv["pred"], any_["pred"]]) < 0).any()):
        notes.append("some outputs are not finite; those images count as wrong")
    spent = torch.zeros(2, len(y), dtype=torch.float64, device=y.device)
    spent[:, hit] = torch.stack([judge.forwards, judge.backwards])
    columns = {
        "eps": torch.full((len(y),), eps, dtype=torch.float64),
        "index": torch.arange(index, index + len(y)),
        "label": y,
        "clean_pred": clean["pred"],
        "clean_correct": clean["correct"],
        "clean_chosen": clean["chosen"],
        "clean_margin": clean["margin"],
        "adv_pred": adv["pred"],
        "adv_correct": adv["correct"],
        "adv_chosen": adv["chosen"],
        "adv_margin": adv["margin"],
        "any_correct": any_["correct"],
        "any_chosen": any_["chosen"],
        "draws": torch.full_like(y, passes),
        "linf": length(returned - x, "linf"),
        "l2": length(returned - x, "l2"),
        "forwards": spent[0],
        "backwards": spent[1],
    }
    table = {name: column.tolist() for name, column in columns.items()}
    return Attacked(table, list(dict.fromkeys(notes)), worst, judge)


def _check_steady(subject: Subject, judge: Judge, lost: Tensor, clean: Tensor) -> None:
    """Whether more images than a few are answered otherwise, by far, when they are asked again.

    A network of this method is left out: the last digits of a sum may flip its masks.

    Raises
    ------
    Unsteady
        If so.
    """
    if subject.injected:
        return
    apart = torch.zeros_like(judge.margin[lost])
    for i in range(_AGAIN):
        with torch.no_grad(), seeded("steady", i):
            outputs = subject.model(judge.images[lost].clone())
        labels = judge.labels[lost]
        again = margin(outputs, labels) if outputs.dim() > 1 else (outputs != labels) * 2 - 1
        apart = torch.maximum(apart, judge.margin[lost] - again.to(apart))
    changed = int((apart > _ROUNDING * clean.nan_to_num().abs().mean()).sum())
    if changed > max(1, _FEW * len(lost)):
        raise Unsteady


def told(table: pd.DataFrame, attack: AttackChoice, eps: float) -> str:
    """A batch in a few words, for the progress."""
    return f"eps {shown(eps, attack.norm)}, {robust(table).mean():.1%} correct"


def _judged(
    subject: Subject,
    y: Tensor,
    returned: Tensor,
    worst: Tensor,
    draws: int,
    passes: int,
    seed: int,
    index: int,
) -> tuple[Scores, Scores, Tensor]:
    """Scores of the returned images, and of the worse of these and the worst points; the latter."""
    model = subject.model
    choose, scored = (seed, "choose", index), (seed, "score", index)
    adv = score(model, returned, y, passes, *scored)
    if not subject.randomised:
        tried = score(model, worst, y, 1, *scored)
        worse = tried["correct"] < adv["correct"]
        any_ = {name: torch.where(worse, tried[name], adv[name]) for name in adv}
        points = torch.where(over_samples(worse, worst), worst, returned)
        return adv | {"chosen": adv["correct"]}, any_ | {"chosen": any_["correct"]}, points
    adv["chosen"] = score(model, returned, y, draws, *choose)["correct"]
    chosen = score(model, worst, y, draws, *choose)["correct"]
    points = torch.where(over_samples(chosen < adv["chosen"], worst), worst, returned)
    any_ = score(model, points, y, passes, *scored)
    return adv, any_ | {"chosen": torch.minimum(chosen, adv["chosen"])}, points


@torch.no_grad()
def _runners_up(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The most likely wrong class of each image: what a targeted attack aims at."""
    return model(x.clone()).scatter(1, y[:, None], -torch.inf).argmax(1)  # type: ignore[no-any-return]
