"""One step of the optimiser, by any recipe."""

from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from nenni.networks.asking import failures_told
from nenni.networks.modes import evaluating
from nenni.training.awp import perturbed_weights
from nenni.training.noise_step import leave_out, step_noise
from nenni.training.processes import own_draws, processes
from nenni.training.state import State, Task, least


def train_step(
    task: Task,
    state: State,
    step: int,
    x: Tensor,
    y: Tensor,
    n: int,
    draws: dict[str, torch.Generator],
) -> Tensor:
    """Change the weights by one batch: augment, attack, take gradients, step.

    A noise that takes steps of its own (:mod:`nenni.training.noise_step`) takes one afterwards, on
    the same images.

    Parameters
    ----------
    task, state : Task, State
        What is trained and how far it is.
    step : int
        Number of the step in the whole training, from 0.
    x, y : Tensor
        This process's share of a batch of n images, and its labels.
    n : int
        Images in the batch.
    draws : dict
        "shift" and "attack" -> generator.

    Returns
    -------
    Tensor
        Summed loss of the share, and how many of its images were right as seen, (2,).
    """
    recipe, optimiser = task.recipe, state.optimiser
    weight = processes() * len(x) / n
    x, eps = recipe.augment(x, n, draws["shift"]), recipe.radius(step, task.steps)
    for group in optimiser.param_groups:
        group["lr"] = recipe.lr * recipe.schedule(step, task.steps)
    optimiser.zero_grad()
    sums = torch.zeros(2, dtype=torch.float64, device=task.device)
    fewest = least(recipe.batch_size, processes() * recipe.accumulate)
    parts = min(recipe.accumulate, max(1, n // processes() // fewest))
    noisy, batches = task.alternating, list[_Batch]()
    for part, labels in zip(x.tensor_split(parts), y.tensor_split(parts), strict=True):
        batch = part, _perturbed(task, part, labels, eps, draws["attack"]), labels
        if noisy:
            batches.append(batch)
        calm = partial(_loss, task, task.model, *batch, weight=weight)
        with perturbed_weights(task.model, calm, recipe.awp) if recipe.awp else nullcontext():
            loss, logits = _loss(task, task.network, *batch)
            (loss * (weight * len(part) / len(x))).backward()
        right = (logits.argmax(1) == labels).sum()
        sums += torch.stack([loss.detach().double() * len(part), right.double()])
    leave_out([layer.learned_noise() for layer in noisy])
    optimiser.step()
    if noisy:
        optimiser.zero_grad()
        backward = partial(_backward, task, batches, weight)
        step_noise(task.model, noisy, step // task.epoch_steps + 1, backward, optimiser.step)
    if state.average is not None:
        state.average.update_parameters(task.model)
    return sums


_Batch = tuple[Tensor, Tensor, Tensor]
"""Images, what the attack made of them, and labels."""


def _backward(task: Task, batches: list[_Batch], weight: float) -> None:
    """Add the gradients of the loss over the parts of a batch."""
    images = sum(len(part) for part, _, _ in batches)
    for batch in batches:
        loss, _ = _loss(task, task.network, *batch)
        (loss * (weight * len(batch[0]) / images)).backward()


def _perturbed(task: Task, x: Tensor, y: Tensor, eps: float, draws: torch.Generator) -> Tensor:
    """The images to train on, made while the network is in eval mode."""
    recipe = task.recipe
    with evaluating(task.model), recipe.autocast(task.device):
        return recipe.method.perturb(task.model, x, y, eps, recipe.attack, own_draws(draws))


def _loss(
    task: Task, network: nn.Module, x: Tensor, adversarial: Tensor, y: Tensor, weight: float = 1
) -> tuple[Tensor, Tensor]:
    """The loss of a batch, of whose images the network gets copies."""
    with failures_told(task.model, x), task.recipe.autocast(task.device):
        loss, logits = task.recipe.method.loss(network, x.clone(), adversarial.clone(), y)
        return weight * loss, logits
