"""Accuracy of a network in training, and of one that is not trained."""

import torch
from torch import Tensor, nn

from nenni.core.seeding import generator, seeded
from nenni.data.split import Images, in_turn
from nenni.networks.asking import answer
from nenni.training.state import Task

_BATCH = 500
"""Images at once."""


def validate(task: Task, model: nn.Module) -> dict[str, float]:
    """Accuracies of a network, which is left in eval mode.

    Returns
    -------
    dict
        ``train_clean``, ``val_clean`` and, if the recipe has an attack, ``val_robust``; see
        :class:`nenni.training.history.Trained`.
    """
    recipe, train, val = task.recipe, task.data["train"], task.data["val"]
    model.eval()
    with seeded(*task.purpose, "validate"):
        found = {"val_clean": accuracy(model, val, len(val))}
        if recipe.attack is not None:
            draws, right = generator(*task.purpose, "validate"), 0
            for x, y in val.batches(in_turn(len(val), _BATCH)):
                adversarial = recipe.attack(model, x, y, recipe.eps, draws)
                right += int(_right(model, adversarial, y))
            found["val_robust"] = right / len(val)
        return {"train_clean": accuracy(model, train, min(len(train), len(val))), **found}


def accuracy(model: nn.Module, images: Images, n: int) -> float:
    """Share of the first n images that are classified as labelled."""
    batches = images.batches(in_turn(n, _BATCH))
    return sum(int(_right(model, x, y)) for x, y in batches) / n


@torch.no_grad()
def _right(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    right: Tensor = (answer(model, x).argmax(1) == y).sum()
    return right
