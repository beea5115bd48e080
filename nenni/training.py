"""Training and fine-tuning: one loop, plain or adversarial."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.checkpoint import Checkpoint
from nenni.errors import UserError
from nenni.injection import seed_noise
from nenni.modes import evaluating
from nenni.progress import Left
from nenni.protocols import Attack
from nenni.seeding import generator


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    epochs, batch_size : int
        Length and batch size.
    lr : float
        Peak rate of Adam, reached after `warmup` of all steps, then down to 0 along a cosine.
    warmup : float
        Share of the steps with a rising rate, in [0, 1).
    weight_decay : float
        L2 penalty of Adam.
    shift : int
        Augmentation: shifts by up to so many pixels in each direction.
    eps : float
        Radius of the training attack, in units of the [0, 1] input.
    eps_ramp : float
        Share of the steps along which eps rises linearly from 0, in [0, 1].
    """

    epochs: int
    batch_size: int
    lr: float
    warmup: float = 0.3
    weight_decay: float = 0.0
    shift: int = 0
    eps: float = 0.0
    eps_ramp: float = 0.0

    def rate(self, step: int, steps: int) -> float:
        """Factor on `lr` at a step."""
        rising = self.warmup * steps
        if step < rising:
            return (step + 1) / (rising + 1)
        return 0.5 + 0.5 * math.cos(math.pi * (step - rising) / max(1.0, steps - rising))

    def radius(self, step: int, steps: int) -> float:
        """Eps at a step."""
        return self.eps * min(1.0, step / (self.eps_ramp * steps)) if self.eps_ramp else self.eps


def train(
    model: nn.Module,
    data: dict[str, tuple[Tensor, Tensor]],
    recipe: Recipe,
    attack: Attack | None,
    purpose: tuple[int | str, ...],
    *,
    parameters: list[nn.Parameter],
    checkpoint: Checkpoint,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[pd.DataFrame, list[float]]:
    """Train in place; with an attack, on its images (Madry et al., ICLR 2018, eq. 2.1).

    The attack sees the network in eval mode, so that it leaves batch statistics alone and treats
    each image by itself. Every random choice depends on the purpose and the epoch alone: a run
    resumed from its checkpoint ends in the same bytes, and networks that differ in one choice see
    the same data in the same order.

    Parameters
    ----------
    model : Module
        Classifier of images in [0, 1].
    data : dict
        "train" and "val" -> images (N, C, H, W) in [0, 1] and labels (N,).
    recipe : Recipe
        How.
    attack : callable or None
        Attack of the images of each batch, at the recipe's eps.
    purpose : tuple
        Root of all random choices, e.g. (seed, "pretrain").
    parameters : list
        What is trained.
    checkpoint : Checkpoint
        Where the state is kept after each epoch.
    progress : callable
        Receives one line per epoch.

    Returns
    -------
    history : DataFrame
        Per epoch: ``rate``, ``eps``, ``loss`` and ``accuracy`` on the training images as seen,
        ``val_clean`` and ``val_robust`` (under the training attack) accuracy.
    seconds : list of float
        Time of each epoch's training steps that this process ran.

    Raises
    ------
    UserError
        If the loss is not finite; the checkpoint of the last good epoch is kept.
    """
    images, labels = data["train"]
    steps_per_epoch = -(-len(images) // recipe.batch_size)
    steps = steps_per_epoch * recipe.epochs
    optimiser = torch.optim.Adam(parameters, recipe.lr, weight_decay=recipe.weight_decay)
    history: list[dict[str, float]] = []
    seconds: list[float] = []
    if (state := checkpoint.load()) is not None:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        history = state["history"]
        progress(f"resumed after epoch {len(history)}/{recipe.epochs}")
    left = Left(recipe.epochs, done=len(history))
    for epoch in range(len(history), recipe.epochs):
        started = time.perf_counter()
        seed_noise(model, *purpose, "noise", epoch)
        draws = {name: generator(*purpose, name, epoch) for name in ("order", "shift", "attack")}
        order = torch.randperm(len(images), generator=draws["order"]).to(labels.device)
        model.train()
        total, correct = 0.0, 0
        for i, indices in enumerate(order.split(recipe.batch_size)):
            step = epoch * steps_per_epoch + i
            x, y = random_shift(images[indices], recipe.shift, draws["shift"]), labels[indices]
            if attack is not None:
                with evaluating(model):
                    x = attack(model, x, y, recipe.radius(step, steps), draws["attack"])
            for group in optimiser.param_groups:
                group["lr"] = recipe.lr * recipe.rate(step, steps)
            logits = model(x)
            loss = F.cross_entropy(logits, y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(y)
            correct += int((logits.argmax(1) == y).sum())
        if not math.isfinite(total):
            raise UserError(
                f"the loss is not finite in epoch {epoch + 1} of {recipe.epochs}; lower the "
                f"recipe's lr ({recipe.lr:g}); the epochs before it are kept"
            )
        seconds.append(time.perf_counter() - started)
        last = (epoch + 1) * steps_per_epoch
        row = {
            "epoch": epoch + 1,
            "rate": recipe.lr * recipe.rate(last, steps),
            "eps": recipe.radius(last, steps) if attack is not None else 0.0,
            "loss": total / len(images),
            "accuracy": correct / len(images),
            **_validate(model, *data["val"], attack, recipe.eps, purpose),
        }
        history.append(row)
        checkpoint.save(
            {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "history": history}
        )
        progress(_line(row, left.after()))
    model.eval()
    return pd.DataFrame(history), seconds


def random_shift(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Each image (N, C, H, W) moved by up to so many pixels each way, zeros moving in."""
    if not pixels:
        return images
    n, _, height, width = images.shape
    padded = F.pad(images, (pixels,) * 4)
    offset = torch.randint(2 * pixels + 1, (2, n), generator=generator).to(images.device)
    rows = offset[0, :, None] + torch.arange(height, device=images.device)
    columns = offset[1, :, None] + torch.arange(width, device=images.device)
    sample = torch.arange(n, device=images.device)[:, None, None]
    moved = padded.movedim(1, -1)[sample, rows[:, :, None], columns[:, None, :]]
    return moved.movedim(-1, 1).contiguous()


def accuracy(model: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 500) -> float:
    """Share of images that are classified as labelled."""
    with torch.no_grad():
        hits = [
            (model(x).argmax(1) == y).sum()
            for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True)
        ]
    return int(torch.stack(hits).sum()) / len(labels)


def _validate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: Attack | None,
    eps: float,
    purpose: tuple[int | str, ...],
) -> dict[str, float]:
    model.eval()
    seed_noise(model, *purpose, "validate")
    result = {"val_clean": accuracy(model, images, labels)}
    if attack is not None:
        adversarial = attack(model, images, labels, eps, generator(*purpose, "validate"))
        result["val_robust"] = accuracy(model, adversarial, labels)
    return result


def _line(row: dict[str, Any], left: str) -> str:
    robust = f", robust {row['val_robust']:.1%}" if "val_robust" in row else ""
    return f"epoch {left}: loss {row['loss']:.4f}, validation clean {row['val_clean']:.1%}{robust}"
