"""Accuracies against a count by hand."""

import torch
from torch import Tensor, nn

from nenni.data.split import InMemory
from nenni.training.objectives.standard import Standard
from nenni.training.recipe import Recipe
from nenni.training.state import Task
from nenni.training.validation import accuracy, validate


class Threshold(nn.Module):
    """Class 1 where the image's number exceeds 1/2."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return torch.cat([1 - x, x], 1)


def brighter(model: nn.Module, x: Tensor, y: Tensor, eps: float, draws: torch.Generator) -> Tensor:
    return (x + eps).clamp(0, 1)


def test_accuracies_with_and_without_an_attack() -> None:
    """Of eleven numbers 0 to 1, those below 1/2 that eps carries over it turn wrong."""
    x = torch.linspace(0, 1, 11).view(-1, 1, 1, 1)
    images = InMemory.of(x, (x.flatten() > 0.5).long())
    wrong = InMemory.of(x, (x.flatten() <= 0.5).long())
    model = Threshold().train()
    recipe = Recipe(1, 1, 1.0, Standard(), attack=brighter, eps=0.25)
    task = Task(model, model, {"train": wrong, "val": images}, recipe, (0, "test"))
    found = validate(task, model)
    assert not model.training
    assert found == {"train_clean": 0.0, "val_clean": 1.0, "val_robust": 8 / 11}
    plain = Task(
        model, model, {"train": images, "val": images}, Recipe(1, 1, 1.0, Standard()), (0, "test")
    )
    assert validate(plain, model) == {"train_clean": 1.0, "val_clean": 1.0}
    assert accuracy(model, wrong, 4) == 0.0
