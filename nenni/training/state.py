"""What a training is given, what it changes, and what of that a checkpoint holds."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from nenni.core.seeding import generator
from nenni.data.split import Images
from nenni.method.baseline import AlternatingLayer, alternating_layers
from nenni.training.average import Average
from nenni.training.history import Tensors
from nenni.training.processes import processes
from nenni.training.recipe import Recipe

Purpose = tuple[int | str, ...]
_FOR_STATISTICS = 2
"""Images of which batch norm has a variance."""


@dataclass(frozen=True)
class Task:
    """What a training is given.

    Attributes
    ----------
    model : Module
        Classifier of images in [0, 1].
    network : Module
        The same, its gradients averaged over the processes.
    data : dict
        "train" and "val" -> images.
    recipe : Recipe
        How.
    purpose : tuple
        Root of all random choices.
    mask_temperature : float
        Of injected layers: see :func:`nenni.training.train.train`.
    """

    model: nn.Module
    network: nn.Module
    data: dict[str, Images]
    recipe: Recipe
    purpose: Purpose
    mask_temperature: float = 0.0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @cached_property
    def sizes(self) -> list[int]:
        """Images of each batch of an epoch."""
        return sizes(len(self.data["train"]), self.recipe.batch_size, processes())

    @cached_property
    def alternating(self) -> list[AlternatingLayer]:
        """Layers whose noise takes steps of its own; none in most networks."""
        return alternating_layers(self.model)

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch."""
        return len(self.sizes)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epoch_steps * self.recipe.epochs


def sizes(n: int, batch_size: int, processes: int) -> list[int]:
    """Images of each batch when n are gone through.

    A rest of fewer than two images for each process joins the batch before it: of one image batch
    norm has no statistics. Where a whole batch has no two for each, or there is just one batch, it
    stays as it is.

    Parameters
    ----------
    n, batch_size : int
        Images of an epoch, and of a batch.
    processes : int
        Among which each batch is divided.
    """
    whole, rest = divmod(n, batch_size)
    found = [batch_size] * whole
    if whole and 0 < rest < processes * least(batch_size, processes):
        found[-1] += rest
    elif rest:
        found.append(rest)
    return found


def least(batch_size: int, processes: int) -> int:
    """Images that a pass in training has at least: two, which batch norm needs, or one.

    One, where the recipe's batches have no two for each process.
    """
    return max(1, min(_FOR_STATISTICS, batch_size // processes))


@dataclass
class Epoch:
    """Where the training is within an epoch.

    Attributes
    ----------
    number : int
        From 0.
    order : Tensor
        Positions of the training images, in the order in which they are seen.
    draws : dict
        "order", "shift" and "attack" -> generator.
    sums : Tensor
        Summed loss, and how many images were right as seen, (2,).
    step : int
        Steps that are done.
    """

    number: int
    order: Tensor
    draws: dict[str, torch.Generator]
    sums: Tensor
    step: int = 0

    @classmethod
    def start(cls, task: Task, number: int) -> "Epoch":
        """Its beginning."""
        names = ("order", "shift", "attack")
        draws = {name: generator(*task.purpose, name, number) for name in names}
        order = torch.randperm(len(task.data["train"]), generator=draws["order"])
        return cls(number, order, draws, torch.zeros(2, dtype=torch.float64, device=task.device))

    def kept(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {
            "step": self.step,
            "sums": self.sums,
            "draws": {name: draws.get_state() for name, draws in self.draws.items()},
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on where :meth:`kept` was called."""
        self.step, self.sums = kept["step"], kept["sums"].to(self.sums.device)
        for name, state in kept["draws"].items():
            self.draws[name].set_state(state)


@dataclass
class State:
    """What a training changes.

    Attributes
    ----------
    model : Module
        What is trained.
    optimiser : Optimizer
        What changes its weights.
    average : Average or None
        Moving average of the weights, if the recipe asks for one.
    history : list of dict
        One row per finished epoch.
    best, best_epoch : dict, int
        See :class:`nenni.training.history.Trained`.
    """

    model: nn.Module
    optimiser: torch.optim.Optimizer
    average: Average | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    best: Tensors = field(default_factory=dict)
    best_epoch: int = 0

    @classmethod
    def start(cls, model: nn.Module, recipe: Recipe, parameters: list[nn.Parameter]) -> "State":
        """Before the first epoch."""
        noise = [layer.learned_noise() for layer in alternating_layers(model)]
        state = cls(model, recipe.build_optimiser(parameters, noise))
        if recipe.average:
            state.average = Average(model, recipe.average)
        return state

    @property
    def result(self) -> nn.Module:
        """The network that the training gives: the average, if there is one."""
        return self.model if self.average is None else self.average

    def weights(self) -> Tensors:
        """Those of the result, under the names of the model."""
        plain = self.model if self.average is None else self.average.module
        return plain.state_dict()

    def kept(self, epoch: Epoch | None) -> dict[str, Any]:
        """What a checkpoint holds, after an epoch or within one."""
        return {
            "model": self.model.state_dict(),
            "averaged": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "inside": None if epoch is None else epoch.kept(),
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on where :meth:`kept` was called; the epoch has its own."""
        self.model.load_state_dict(kept["model"])
        if self.average is not None:
            self.average.load_state_dict(kept["averaged"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.history, self.best = kept["history"], kept["best"]
        self.best_epoch = kept["best_epoch"]
