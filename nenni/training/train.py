"""Training and fine-tuning: one loop for every recipe, in one process or several."""

import copy
import math
import time
from collections.abc import Callable
from contextlib import nullcontext

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError
from nenni.core.progress import Left
from nenni.core.seeding import seeded
from nenni.data.split import Images
from nenni.networks.compiled import compiled
from nenni.networks.replayed import replayed
from nenni.training.history import Trained, epoch_line
from nenni.training.processes import (
    agree,
    mean_over_processes,
    parallel,
    processes,
    rank,
    share,
)
from nenni.training.recipe import Recipe
from nenni.training.soft_masks import softened, temperature
from nenni.training.state import Epoch, Purpose, State, Task
from nenni.training.step import train_step
from nenni.training.validation import accuracy, validate

CHECKPOINT_SECONDS = 60.0
"""Time between two checkpoints within an epoch."""


def train(
    model: nn.Module,
    data: dict[str, Images],
    recipe: Recipe,
    purpose: Purpose,
    *,
    parameters: list[nn.Parameter],
    checkpoint: Checkpoint,
    mask_temperature: float = 0.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train in place by a recipe.

    Attacks see the network in eval mode, so that they leave batch statistics alone and treat each
    image by itself. Every random choice depends on the purpose and the epoch alone: a run resumed
    from its checkpoint, which is kept each minute and after each epoch, ends in the same bytes, and
    networks that differ in one choice see the same data in the same order. Processes that torchrun
    started share each batch. A last batch of one image joins the one before
    (:func:`nenni.training.state.sizes`).

    Parameters
    ----------
    model : Module
        Classifier of images in [0, 1].
    data : dict
        "train" and "val" -> images.
    recipe : Recipe
        How.
    purpose : tuple
        Root of all random choices, e.g. (seed, "pretrain").
    parameters : list
        What is trained.
    checkpoint : Checkpoint
        Where the state is kept.
    mask_temperature : float
        Of injected layers: width of the soft masks with which the training begins, see
        :mod:`nenni.training.soft_masks`; with 0 they are hard throughout.
    progress : callable
        Receives one line per epoch, and one for each checkpoint within.

    Raises
    ------
    UserError
        If the loss is not finite; the checkpoint of the last good epoch is kept. If there are more
        processes than images in a batch.
    """
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)
    task = Task(model, parallel(model), data, recipe, purpose, mask_temperature)
    state, inside = State.start(model, recipe, parameters), None
    if (kept := checkpoint.load(progress)) is not None:
        state.restore(kept)
        inside = kept["inside"]
        at = "" if inside is None else f", step {inside['step']}/{task.epoch_steps} of the next"
        progress(f"resumed after epoch {len(state.history)}/{recipe.epochs}{at}")
    left, seconds, speed = Left(recipe.epochs, done=len(state.history)), [], None
    clock = time.process_time if task.device.type == "cpu" else time.perf_counter
    once = not getattr(recipe.method, "differentiates_twice", False)
    replaying = replayed(model, task.device) if once else nullcontext()
    with compiled(model, task.device, wanted=recipe.compile), replaying:
        for number in range(len(state.history), recipe.epochs):
            started, worked = time.perf_counter(), clock()
            epoch = Epoch.start(task, number)
            if inside is not None:
                epoch.restore(inside)
            sums = run_epoch(task, state, epoch, checkpoint, progress)
            if inside is None:
                seconds.append(clock() - worked)
                speed = len(data["train"]) / (time.perf_counter() - started)
            inside = None
            finish_epoch(task, state, number, *sums.tolist())
            if rank() == 0:
                checkpoint.save(state.kept(None))
                progress(epoch_line(state.history[-1], left.after(), speed))
    if state.average is not None:
        model.load_state_dict(state.weights())
    model.eval()
    return Trained(pd.DataFrame(state.history), seconds, state.best, state.best_epoch)


def run_epoch(
    task: Task,
    state: State,
    epoch: Epoch,
    checkpoint: Checkpoint,
    progress: Callable[[str], None],
) -> Tensor:
    """Take the steps of an epoch that are left; its sums over all processes.

    Raises
    ------
    UserError
        If the loss is not finite.
    """
    saved, first = time.perf_counter(), epoch.number * task.epoch_steps
    task.model.train()
    batches = epoch.order.split(task.sizes)[epoch.step :]
    mine = task.data["train"].batches([share(batch) for batch in batches])
    for batch, (x, y) in zip(batches, mine, strict=True):
        step = first + epoch.step
        width = temperature(task.mask_temperature, step, task.steps)
        with seeded(*task.purpose, "noise", step, rank()), softened(task.model, width):
            epoch.sums += train_step(task, state, step, x, y, len(batch), epoch.draws)
        epoch.step += 1
        if rank() == 0 and time.perf_counter() - saved > CHECKPOINT_SECONDS:
            _check(epoch.sums, epoch.number, task.recipe)
            checkpoint.save(state.kept(epoch))
            progress(f"epoch {epoch.number + 1}, step {epoch.step}/{task.epoch_steps}")
            saved = time.perf_counter()
    sums = mean_over_processes(epoch.sums) * processes()
    _check(sums, epoch.number, task.recipe)
    return sums


def finish_epoch(task: Task, state: State, number: int, loss: float, right: float) -> None:
    """Validate after an epoch, and put its row and the best weights into the state.

    Parameters
    ----------
    loss, right : float
        Summed loss over the training images, and how many of them were right as seen.
    """
    agree(state.model)
    if state.average is not None:
        agree(state.average)
    recipe, n, step = task.recipe, len(task.data["train"]), (number + 1) * task.epoch_steps
    row = {
        "epoch": number + 1,
        "rate": recipe.lr * recipe.schedule(step, task.steps),
        "eps": recipe.radius(step, task.steps) if recipe.attack else 0.0,
        "loss": loss / n,
        "train_seen": right / n,
        **validate(task, state.result),
    }
    measure = "val_robust" if "val_robust" in row else "val_clean"
    if row[measure] > max((past[measure] for past in state.history), default=-1.0):
        state.best = copy.deepcopy(state.weights())
        state.best_epoch = number + 1
    state.history.append(row)


def as_given(model: nn.Module, val: Images) -> Trained:
    """A network that is not trained: its clean validation accuracy, as after epoch 0."""
    history = pd.DataFrame([{"epoch": 0, "val_clean": accuracy(model, val, len(val))}])
    return Trained(history, [], dict(model.state_dict()), 0)


def _check(sums: Tensor, number: int, recipe: Recipe) -> None:
    if not math.isfinite(float(sums[0])):
        raise UserError(
            f"the loss is not finite in epoch {number + 1} of {recipe.epochs}; lower the recipe's "
            f"lr ({recipe.lr:g}); what was before is kept"
        )
