"""One step of plain SGD against its gradient by hand."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from nenni.data.split import InMemory
from nenni.training.objectives.standard import Standard
from nenni.training.recipe import Recipe
from nenni.training.state import State, Task
from nenni.training.step import train_step


def test_a_step_goes_along_the_gradient_at_the_scheduled_rate() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    before = copy.deepcopy(model)
    x, y = torch.rand(8, 3, 2, 2), torch.arange(8) % 3
    data = InMemory.of(x, y)
    recipe = Recipe(
        5,
        4,
        0.3,
        Standard(),
        optimiser="sgd",
        momentum=0.0,
        schedule=lambda step, steps: step / steps,
    )
    task = Task(model, model, {"train": data, "val": data}, recipe, (0, "test"))
    assert (task.epoch_steps, task.steps) == (2, 10)
    state = State.start(model, recipe, list(model.parameters()))
    sums = train_step(
        task, state, 5, x, y, len(x), {"shift": torch.Generator(), "attack": torch.Generator()}
    )
    logits = before(x)
    loss = F.cross_entropy(logits, y)
    loss.backward()
    torch.testing.assert_close(sums[0].item(), 8 * loss.item())
    assert sums[1] == (logits.argmax(1) == y).sum()
    for p, q in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(p, q - 0.3 * 0.5 * q.grad)
