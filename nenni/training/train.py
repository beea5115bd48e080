"""Training and fine-tuning: one loop for every recipe, in one process or several."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError
from nenni.core.progress import Left
from nenni.core.seeding import generator
from nenni.data.split import Images, in_turn
from nenni.method.injection import noise_states, restore_noise, seed_noise
from nenni.networks.modes import evaluating
from nenni.training.awp import perturbed_weights
from nenni.training.history import Tensors, Trained
from nenni.training.processes import (
    agree,
    mean_over_processes,
    own_draws,
    parallel,
    processes,
    rank,
    share,
)
from nenni.training.recipe import Recipe

_EVERY = 60.0
"""Seconds between two checkpoints within an epoch."""
_VALIDATED = 500
"""Images that are validated at once."""

Purpose = tuple[int | str, ...]


def train(
    model: nn.Module,
    data: dict[str, Images],
    recipe: Recipe,
    purpose: Purpose,
    *,
    parameters: list[nn.Parameter],
    checkpoint: Checkpoint,
    progress: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train in place by a recipe.

    Attacks see the network in eval mode, so that they leave batch statistics alone and treat each
    image by itself. Every random choice depends on the purpose and the epoch alone: a run resumed
    from its checkpoint, which is kept each minute and after each epoch, ends in the same bytes, and
    networks that differ in one choice see the same data in the same order. Processes that torchrun
    started share each batch.

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
    progress : callable
        Receives one line per epoch, and one for each checkpoint within.

    Raises
    ------
    UserError
        If the loss is not finite; the checkpoint of the last good epoch is kept. If there are more
        processes than images in a batch.
    """
    run = _Run(model, data, recipe, purpose, parameters, checkpoint, progress)
    left = Left(recipe.epochs, done=len(run.history))
    for epoch in range(len(run.history), recipe.epochs):
        total, seen = run.epoch(epoch)
        run.finish(epoch, total, seen)
        if rank() == 0:
            progress(_line(run.history[-1], left.after(), run.seconds[-1:], len(data["train"])))
    run.result.eval()
    if run.result is not model:
        model.load_state_dict(run.weights())
    model.eval()
    return Trained(pd.DataFrame(run.history), run.seconds, run.best, run.best_epoch)


class _Run:
    """The state of one training."""

    def __init__(
        self, model: nn.Module, data: dict[str, Images], recipe: Recipe, purpose: Purpose,
        parameters: list[nn.Parameter], checkpoint: Checkpoint, progress: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.model, self.data, self.recipe, self.purpose = model, data, recipe, purpose
        self.checkpoint, self.progress = checkpoint, progress
        self.parameters = parameters
        if recipe.channels_last:
            model.to(memory_format=torch.channels_last)
        self.device = next(model.parameters()).device
        self.optimiser = recipe.build_optimiser(parameters)
        self.parallel = parallel(model)
        self.result: nn.Module = model
        if recipe.average:
            average = get_ema_multi_avg_fn(recipe.average)
            self.result = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
        self.history: list[dict[str, float]] = []
        self.seconds: list[float] = []
        self.best: Tensors = {}
        self.best_epoch = 0
        self.inside: dict[str, Any] | None = None
        self.steps = -(-len(data["train"]) // recipe.batch_size)
        if (state := checkpoint.load()) is not None:
            self._restore(state)

    def epoch(self, epoch: int) -> tuple[float, int]:
        """The training steps of one epoch: summed loss, and how many images were right as seen."""
        started = saved = time.perf_counter()
        names = ("order", "shift", "attack")
        draws = {name: generator(*self.purpose, name, epoch) for name in names}
        seed_noise(self.model, *self.purpose, "noise", epoch)
        first, sums = 0, torch.zeros(2, dtype=torch.float64, device=self.device)
        order = torch.randperm(len(self.data["train"]), generator=draws["order"])
        if (inside := self.inside) is not None:
            first, sums = inside["step"], inside["sums"].to(self.device)
            for name, state in inside["draws"].items():
                draws[name].set_state(state)
            restore_noise(self.model, inside["noise"])
            self.inside = None
        whole = first == 0
        self.model.train()
        batches = order.split(self.recipe.batch_size)[first:]
        mine = self.data["train"].batches([share(batch) for batch in batches])
        for i, (batch, (x, y)) in enumerate(zip(batches, mine, strict=True), first):
            sums += self.step(epoch * self.steps + i, x, y, len(batch), draws)
            if rank() == 0 and time.perf_counter() - saved > _EVERY:
                self._check(sums, epoch)
                self._save({"step": i + 1, "sums": sums, "noise": noise_states(self.model),
                            "draws": {n: d.get_state() for n, d in draws.items()}})  # fmt: skip
                self.progress(f"epoch {epoch + 1}, step {i + 1}/{self.steps}")
                saved = time.perf_counter()
        sums = mean_over_processes(sums) * processes()
        self._check(sums, epoch)
        if whole:
            self.seconds.append(time.perf_counter() - started)
        return float(sums[0]), int(sums[1])

    def step(
        self, step: int, x: Tensor, y: Tensor, n: int, draws: dict[str, torch.Generator]
    ) -> Tensor:
        """One step of the optimiser: summed loss, and how many images were right, (2,).

        x and y are this process's share of a batch of n images.
        """
        weight = processes() * len(x) / n
        recipe, steps = self.recipe, self.steps * self.recipe.epochs
        x, eps = recipe.augment(x, n, draws["shift"]), recipe.radius(step, steps)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.lr * recipe.schedule(step, steps)
        self.optimiser.zero_grad()
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        parts = min(recipe.accumulate, n // processes())
        for part, labels in zip(x.tensor_split(parts), y.tensor_split(parts), strict=True):
            with evaluating(self.model), recipe.autocast(self.device):
                adversarial = recipe.method.perturb(
                    self.model, part, labels, eps, recipe.attack, own_draws(draws["attack"])
                )
            batch = part, adversarial, labels
            calm = partial(self._loss, self.model, *batch, weight=weight)
            moved = perturbed_weights(self.model, calm, recipe.awp)
            with moved if recipe.awp else nullcontext():
                loss, logits = self._loss(self.parallel, *batch)
                (loss * (weight * len(part) / len(x))).backward()
            right = (logits.argmax(1) == labels).sum()
            sums += torch.stack([loss.detach().double() * len(part), right.double()])
        self.optimiser.step()
        if isinstance(self.result, AveragedModel):
            self.result.update_parameters(self.model)
        return sums

    def _loss(self, model: nn.Module, *batch: Tensor, weight: float = 1) -> tuple[Tensor, Tensor]:
        with self.recipe.autocast(self.device):
            loss, logits = self.recipe.method.loss(model, *batch)
            return weight * loss, logits

    def _check(self, sums: Tensor, epoch: int) -> None:
        if not math.isfinite(float(sums[0])):
            raise UserError(
                f"the loss is not finite in epoch {epoch + 1} of {self.recipe.epochs}; lower the "
                f"recipe's lr ({self.recipe.lr:g}); what was before is kept"
            )

    def finish(self, epoch: int, total: float, seen: int) -> None:
        """Validate after an epoch, and keep its state."""
        agree(self.model)
        if self.result is not self.model:
            agree(self.result)
        n, step = len(self.data["train"]), (epoch + 1) * self.steps
        steps = self.steps * self.recipe.epochs
        row = {
            "epoch": epoch + 1,
            "rate": self.recipe.lr * self.recipe.schedule(step, steps),
            "eps": self.recipe.radius(step, steps) if self.recipe.attack else 0.0,
            "loss": total / n,
            "train_seen": seen / n,
            **self._validate(),
        }
        measure = "val_robust" if "val_robust" in row else "val_clean"
        if row[measure] > max((past[measure] for past in self.history), default=-1.0):
            self.best = {name: t.detach().clone() for name, t in self.weights().items()}
            self.best_epoch = epoch + 1
        self.history.append(row)
        if rank() == 0:
            self._save(None)

    def weights(self) -> Tensors:
        """The state of the network that is the result."""
        if isinstance(self.result, AveragedModel):
            return self.result.module.state_dict()
        return self.model.state_dict()

    def _validate(self) -> dict[str, float]:
        model, recipe = self.result, self.recipe
        model.eval()
        seed_noise(model, *self.purpose, "validate")
        train, val = self.data["train"], self.data["val"]
        found = {"val_clean": accuracy(model, val, len(val))}
        if recipe.attack is not None:
            draws, right = generator(*self.purpose, "validate"), 0
            for x, y in val.batches(in_turn(len(val), _VALIDATED)):
                adversarial = recipe.attack(model, x, y, recipe.eps, draws)
                right += int(_right(model, adversarial, y))
            found["val_robust"] = right / len(val)
        return {"train_clean": accuracy(model, train, min(len(train), len(val))), **found}

    def _save(self, inside: dict[str, Any] | None) -> None:
        averaged = self.result.state_dict() if self.result is not self.model else None
        self.checkpoint.save(
            {
                "model": self.model.state_dict(),
                "averaged": averaged,
                "optimiser": self.optimiser.state_dict(),
                "history": self.history,
                "best": self.best,
                "best_epoch": self.best_epoch,
                "inside": inside,
            }
        )

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        if state["averaged"] is not None:
            self.result.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history, self.best = state["history"], state["best"]
        self.best_epoch, self.inside = state["best_epoch"], state["inside"]
        at = "" if self.inside is None else f", step {self.inside['step']}/{self.steps} of the next"
        self.progress(f"resumed after epoch {len(self.history)}/{self.recipe.epochs}{at}")


def as_given(model: nn.Module, val: Images) -> Trained:
    """A network that is not trained: its clean validation accuracy, as after epoch 0."""
    history = pd.DataFrame([{"epoch": 0, "val_clean": accuracy(model, val, len(val))}])
    return Trained(history, [], dict(model.state_dict()), 0)


def accuracy(model: nn.Module, images: Images, n: int) -> float:
    """Share of the first n images that are classified as labelled."""
    batches = images.batches(in_turn(n, _VALIDATED))
    return sum(int(_right(model, x, y)) for x, y in batches) / n


@torch.no_grad()
def _right(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    right: Tensor = (model(x).argmax(1) == y).sum()
    return right


def _line(row: dict[str, Any], left: str, seconds: list[float], images: int) -> str:
    robust = f", robust {row['val_robust']:.1%}" if "val_robust" in row else ""
    speed = f"; {images / seconds[0]:.0f} images/s" if seconds else ""
    return (
        f"epoch {left}: loss {row['loss']:.4f}, validation clean {row['val_clean']:.1%}"
        f"{robust}{speed}"
    )
